//! The answer to COMMIT is lost a hundred times: `cargo test --test steadfast lost_answers -- --nocapture`.

/// How often an answer is lost; every second commit was applied.
const TIMES: u64 = 100;
/// Proxies side by side, with a pool each: what takes long is to connect anew.
const LANES: u64 = 5;

each_server! {
    use super::{LANES, TIMES};
    use std::ops::Range;
    use std::sync::atomic::{AtomicU64, Ordering};
    use futures_util::future::join_all;
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    /// Without a unique key: what is applied twice is there twice.
    async fn set_up() -> Place {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        place.pool(1).await.install().await.unwrap();
        place
    }

    fn lanes() -> impl Iterator<Item = Range<u64>> {
        let each = TIMES / LANES;
        (0..LANES).map(move |lane| lane * each..(lane + 1) * each)
    }

    /// Loses the answer to the next COMMIT, or COMMIT itself; every second one is applied.
    fn lose(proxy: &Proxy, id: u64) -> bool {
        let is_applied = id.is_multiple_of(2);
        proxy.on(|sent| sent.runs("COMMIT"), if is_applied { Fault::CutAnswer } else { Fault::CutBefore });
        is_applied
    }

    async fn enter(session: &mut Session, id: u64) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO entries (id) VALUES ($1)")).bind(id as i64).execute(&mut *session).await?;
        Ok(())
    }

    async fn entries(place: &Place, id: u64) -> i64 {
        place.count(&format!("entries WHERE id = {id}")).await
    }

    /// How often COMMIT was sent, as the wire has it.
    fn commits(proxy: &Proxy) -> u64 {
        proxy.sent().iter().filter(|sent| sent.runs("COMMIT")).count() as u64
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, id: u64, runs: &AtomicU64) -> Result<u32, Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, id).await?;
        Ok(session.attempt())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn blind(session: &mut Session, id: u64, runs: &AtomicU64) -> Result<u32, Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, id).await?;
        Ok(session.attempt())
    }

    /// Trap 9: the verification of a commit itself guesses.
    /// What a lane came to.
    #[derive(Debug, Default, PartialEq)]
    struct Figures {
        lost: u64,
        applied: u64,
        not_applied: u64,
        commits: u64,
    }

    impl Figures {
        fn sum(lanes: Vec<Self>) -> Self {
            lanes.into_iter().fold(Self::default(), |sum, lane| Self {
                lost: sum.lost + lane.lost,
                applied: sum.applied + lane.applied,
                not_applied: sum.not_applied + lane.not_applied,
                commits: sum.commits + lane.commits,
            })
        }

        fn count(&mut self, proxy: &Proxy, is_applied: bool) {
            self.lost += 1;
            assert_eq!(proxy.fired(), self.lost, "the fault has struck");
            if is_applied { self.applied += 1 } else { self.not_applied += 1 }
        }
    }

    async fn verified_lane(place: &Place, ids: Range<u64>, runs: &AtomicU64) -> Figures {
        let (proxy, pool) = place.behind_proxy(1).await;
        let mut figures = Figures::default();
        for id in ids {
            let is_applied = lose(&proxy, id);
            let attempt = verified(&pool, id, runs).await.unwrap();
            figures.count(&proxy, is_applied);
            assert_eq!(attempt, if is_applied { 1 } else { 2 }, "call {id}: the body's value of the attempt that stands");
            assert_eq!(entries(place, id).await, 1, "call {id}");
        }
        assert_quiet(&pool);
        Figures { commits: commits(&proxy), ..figures }
    }

    /// Trap 9: the verification of a commit itself guesses.
    #[tokio::test]
    async fn with_verify_commit_every_call_answers_right() {
        let (place, runs) = (set_up().await, AtomicU64::new(0));
        let figures = Figures::sum(join_all(lanes().map(|ids| verified_lane(&place, ids, &runs))).await);
        let all = place.count("entries").await;
        println!(
            "{NAME:9} | verify_commit    | {} answers lost | {} found committed, {} found undone and repeated | {all} applied, each once | 0 unknown",
            figures.lost, figures.applied, figures.not_applied
        );
        // What was found committed is not committed again.
        let expected = Figures { lost: TIMES, applied: TIMES / 2, not_applied: TIMES / 2, commits: TIMES + TIMES / 2 };
        assert_eq!((figures, all), (expected, TIMES as i64));
        assert_eq!(runs.into_inner(), TIMES + TIMES / 2);
        let counted = stats(concat!(module_path!(), "::verified"));
        assert_eq!((counted.committed, counted.unknown, counted.retried_after(Category::Connection)), (TIMES, 0, TIMES / 2), "{counted:?}");
        place.has_open(0).await;
    }

    async fn blind_lane(place: &Place, ids: Range<u64>, runs: &AtomicU64) -> Figures {
        let (proxy, pool) = place.behind_proxy(1).await;
        let mut figures = Figures::default();
        for id in ids {
            let is_applied = lose(&proxy, id);
            let error = blind(&pool, id, runs).await.unwrap_err();
            figures.count(&proxy, is_applied);
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
            assert!(!error.is_retryable());
            assert_eq!(entries(place, id).await, i64::from(is_applied), "call {id}");
            let asked = error.resolve(&pool).await.unwrap_err();
            assert_eq!((asked.category(), asked.outcome()), (Category::Programming, Outcome::Unknown), "{asked}");
            assert!(asked.to_string().contains("verify_commit"), "{asked}");
        }
        assert_quiet(&pool);
        Figures { commits: commits(&proxy), ..figures }
    }

    /// Trap 8: a commit in doubt is treated as transient.
    #[tokio::test]
    async fn without_it_every_call_is_in_doubt_and_none_is_repeated() {
        let (place, runs) = (set_up().await, AtomicU64::new(0));
        let figures = Figures::sum(join_all(lanes().map(|ids| blind_lane(&place, ids, &runs))).await);
        let (all, runs) = (place.count("entries").await, runs.into_inner());
        println!(
            "{NAME:9} | no verify_commit | {} answers lost | {} unknown | {all} of them applied | {} repeated",
            figures.lost, stats(concat!(module_path!(), "::blind")).unknown, runs - TIMES
        );
        let expected = Figures { lost: TIMES, applied: TIMES / 2, not_applied: TIMES / 2, commits: TIMES };
        assert_eq!((figures, runs), (expected, TIMES), "one attempt each");
        assert_eq!(all, TIMES as i64 / 2);
        assert_eq!(stats(concat!(module_path!(), "::blind")).unknown, TIMES);
        place.has_open(0).await;
        assert_eq!(place.count("entries").await, all, "nor is anything repeated later");
        assert_eq!(place.count("steadfast_ledger").await, 0, "no token was written");
    }
}
