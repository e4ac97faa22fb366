//! Work that may be done twice, and the key that others know it by.

each_server! {
    use std::sync::atomic::{AtomicU64, Ordering};
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    async fn set_up() -> (Place, Proxy, Pool) {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        pool.install().await.unwrap();
        (place, proxy, pool)
    }

    async fn enter(session: &mut Session) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO entries (id) VALUES (1)").execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, idempotent)]
    async fn declared(session: &mut Session) -> Result<u32, Error> {
        enter(session).await?;
        Ok(session.attempt())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn undeclared(session: &mut Session, runs: &AtomicU64) -> Result<u32, Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session).await?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn what_is_unknown_is_repeated_if_declared_and_never_otherwise() {
        for (fault, rows) in [(Fault::CutAnswer, 2), (Fault::CutBefore, 1)] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            assert_eq!(declared(&pool).await.unwrap(), 2, "{fault:?}");
            assert_eq!(place.count("entries").await, rows, "{fault:?}");
            let runs = AtomicU64::new(0);
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let error = undeclared(&pool, &runs).await.unwrap_err();
            assert_eq!((error.outcome(), runs.load(Ordering::Relaxed)), (Outcome::Unknown, 1));
            assert_eq!((place.count("entries").await, proxy.fired()), (2 * rows - 1, 2), "{fault:?}");
            assert_eq!(place.count("steadfast_ledger").await, 0);
        }
    }

    #[tokio::test]
    async fn it_gives_up_after_its_last_attempt_and_the_doubt_stays() {
        let (place, proxy, pool) = set_up().await;
        proxy.on_each(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        let error = declared(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert_eq!(error.attempts().len(), 3);
        assert_eq!((place.count("entries").await, proxy.fired()), (3, 3));
    }

    #[with_session]
    #[retry(immediate, max = 3, idempotent)]
    async fn fails_next_time(session: &mut Session) -> Result<(), Error> {
        enter(session).await?;
        if session.attempt() == 2 { Err(sqlx::Error::RowNotFound.into()) } else { Ok(()) }
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit, idempotent)]
    async fn both_fails_next_time(session: &mut Session) -> Result<(), Error> {
        enter(session).await?;
        if session.attempt() == 2 { Err(sqlx::Error::RowNotFound.into()) } else { Ok(()) }
    }

    /// The last attempt was rolled back. The first may be there, and the error must not say that nothing is.
    #[tokio::test]
    async fn an_attempt_in_doubt_is_not_forgotten_by_those_behind_it() {
        let (place, proxy, pool) = set_up().await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        let error = fails_next_time(&pool).await.unwrap_err();
        assert_eq!(place.count("entries").await, 1, "it is there");
        assert_eq!((error.category(), error.outcome()), (Category::NotFound, Outcome::Unknown), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(error.attempts().iter().map(|attempt| attempt.outcome()).collect::<Vec<_>>(), [Outcome::Unknown, Outcome::RolledBack]);
        assert_eq!(error.resolve(&pool).await.unwrap_err().category(), Category::Programming, "it has no token");
        let counted = stats(concat!(module_path!(), "::fails_next_time"));
        assert_eq!((counted.unknown, counted.rolled_back), (1, 0), "{counted:?}");
    }

    /// With a token too: what the ledger could not be asked about is repeated, and can be asked about later.
    #[tokio::test]
    async fn an_attempt_in_doubt_can_be_resolved_behind_others() {
        for (fault, outcome) in [(Fault::CutAnswer, Outcome::Committed), (Fault::CutBefore, Outcome::RolledBack)] {
            let (place, proxy, pool) = set_up().await;
            // The ledger is away for a while, so that the first attempt stays in doubt.
            let hidden = async {
                eventually("COMMIT is under way", || async { proxy.fired() == 1 }).await;
                sqlx::raw_sql("ALTER TABLE steadfast_ledger RENAME TO away").execute(&place.plain).await.unwrap();
                proxy.cut();
            };
            let held = if fault == Fault::CutAnswer { Fault::HoldAnswer } else { Fault::HoldBefore };
            proxy.on(|sent| sent.runs("COMMIT"), held);
            let (ended, ()) = tokio::join!(both_fails_next_time(&pool), hidden);
            let error = ended.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::NotFound, Outcome::Unknown), "{fault:?}: {error}");
            assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::Unknown, "the ledger is away");
            sqlx::raw_sql("ALTER TABLE away RENAME TO steadfast_ledger").execute(&place.plain).await.unwrap();
            assert_eq!(error.resolve(&pool).await.unwrap(), outcome);
            assert_eq!(place.count("entries").await, i64::from(outcome == Outcome::Committed));
        }
    }
}
