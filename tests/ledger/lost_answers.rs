//! The answer to COMMIT is lost a hundred times: `cargo test --test steadfast lost_answers -- --nocapture`.

/// How often an answer is lost; every second commit was applied.
const TIMES: u64 = 100;

each_server! {
    use super::TIMES;
    use std::sync::atomic::{AtomicU64, Ordering};
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    /// Without a unique key: what is applied twice is there twice.
    async fn set_up() -> (Place, Proxy, Pool) {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        pool.install().await.unwrap();
        (place, proxy, pool)
    }

    async fn enter(session: &mut Session, id: i64) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO entries (id) VALUES ($1)")).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    async fn entries(place: &Place, id: i64) -> i64 {
        place.count(&format!("entries WHERE id = {id}")).await
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, id: i64, runs: &AtomicU64) -> Result<u32, Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, id).await?;
        Ok(session.attempt())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn blind(session: &mut Session, id: i64, runs: &AtomicU64) -> Result<u32, Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, id).await?;
        Ok(session.attempt())
    }

    /// Trap 9: the verification of a commit itself guesses.
    #[tokio::test]
    async fn with_verify_commit_every_call_answers_right() {
        let (place, proxy, pool) = set_up().await;
        let runs = AtomicU64::new(0);
        let (mut applied, mut repeated) = (0, 0);
        for id in 0..TIMES as i64 {
            let is_applied = id % 2 == 0;
            let fault = if is_applied { Fault::CutAnswer } else { Fault::CutBefore };
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let attempt = verified(&pool, id, &runs).await.unwrap();
            assert_eq!(attempt, if is_applied { 1 } else { 2 }, "call {id}: the body's value of the attempt that stands");
            assert_eq!(entries(&place, id).await, 1, "call {id}");
            if is_applied { applied += 1 } else { repeated += 1 }
        }
        let (fired, all) = (proxy.fired(), place.count("entries").await);
        println!(
            "{NAME:9} | verify_commit    | {fired} answers lost | {applied} found committed, {repeated} found undone and repeated | {all} applied, each once | 0 unknown"
        );
        assert_eq!((fired, applied, repeated), (TIMES, TIMES / 2, TIMES / 2));
        assert_eq!((all, runs.load(Ordering::Relaxed)), (TIMES as i64, TIMES + TIMES / 2));
        let counted = stats(concat!(module_path!(), "::verified"));
        assert_eq!((counted.committed, counted.unknown, counted.retried_after(Category::Connection)), (TIMES, 0, TIMES / 2), "{counted:?}");
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
    }

    /// Trap 8: a commit in doubt is treated as transient.
    #[tokio::test]
    async fn without_it_every_call_is_in_doubt_and_none_is_repeated() {
        let (place, proxy, pool) = set_up().await;
        let runs = AtomicU64::new(0);
        let (mut unknown, mut applied) = (0, 0);
        for id in 0..TIMES as i64 {
            let is_applied = id % 2 == 0;
            proxy.on(|sent| sent.runs("COMMIT"), if is_applied { Fault::CutAnswer } else { Fault::CutBefore });
            let error = blind(&pool, id, &runs).await.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
            assert!(!error.is_retryable());
            unknown += 1;
            let rows = entries(&place, id).await;
            assert_eq!(rows, i64::from(is_applied), "call {id}");
            applied += rows;
            let asked = error.resolve(&pool).await.unwrap_err();
            assert_eq!((asked.category(), asked.outcome()), (Category::Programming, Outcome::Unknown), "{asked}");
            assert!(asked.to_string().contains("verify_commit"), "{asked}");
        }
        let fired = proxy.fired();
        println!("{NAME:9} | no verify_commit | {fired} answers lost | {unknown} unknown | {applied} of them applied | {} repeated", runs.load(Ordering::Relaxed) - TIMES);
        assert_eq!((fired, unknown, applied), (TIMES, TIMES, TIMES as i64 / 2));
        assert_eq!(runs.load(Ordering::Relaxed), TIMES, "one attempt each");
        assert_eq!(place.count("steadfast_ledger").await, 0, "no token was written");
    }
}
