//! The server does not answer: to COMMIT, or from a black hole.

each_server! {
    use std::time::Duration;
    use futures_util::FutureExt as _;
    use steadfast::{with_session, Category, Error, Outcome};
    use tokio::sync::Barrier;
    use tokio::time::Instant;
    use xtask::proxy::{Fault, Proxy};

    /// The answer of a call whose COMMIT is held, and how long that took: the limits on the way, and nothing else.
    async fn held<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (T, Duration) {
        let clock = Clock::stop();
        let began = Instant::now();
        let is_held = async {
            clock.eventually("COMMIT is held", || async { proxy.fired() == 1 }).await;
            clock.leap();
        };
        let (answer, ()) = tokio::join!(call, is_held);
        (answer, began.elapsed())
    }

    #[with_session(timeout = "200ms")]
    async fn commits(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[tokio::test]
    async fn to_commit_the_outcome_is_unknown_and_the_counters_learn_it() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        let (answer, took) = held(&proxy, commits(&pool, 1)).await;
        let error = answer.unwrap_err();
        assert!(about(300).contains(&took), "the deadline and 100 ms: {took:?}");
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(proxy.fired(), 1);
        place.has_open(0).await;
        assert_eq!(place.count("notes").await, 1, "it was applied");
        assert_eq!(pool.sessions().len(), 1, "COMMIT goes on");
        assert_eq!(stats(concat!(module_path!(), "::commits")).in_flight(), 1);
        proxy.resume();
        quiet(&pool).await;
        let committed = stats(concat!(module_path!(), "::commits"));
        assert_eq!((committed.committed, committed.unknown), (1, 0), "{committed:?}");
        assert_eq!(committed.failed(Category::CommitUnknown), 1, "the caller was told so");
        assert_eq!(pool.stats().opened, 1, "proven by its answer, it serves on");
        let _clock = Clock::stop();
        commits(&pool, 2).await.unwrap();
    }

    #[with_session]
    async fn endless(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[tokio::test]
    async fn to_commit_without_a_deadline_the_commit_timeout_holds() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1)
            .commit_timeout(Duration::from_millis(250)).connect().await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        let (answer, took) = held(&proxy, endless(&pool, 1)).await;
        let error = answer.unwrap_err();
        assert!(about(250).contains(&took), "{took:?}");
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert_eq!(proxy.fired(), 1);
        let took = quiet_at_last(&pool).await;
        assert!(took < about(1000).end, "the slot is free: {took:?}");
        assert_eq!(stats(concat!(module_path!(), "::endless")).unknown, 1);
        let clock = Clock::stop();
        endless(&pool, 2).await.unwrap();
        drop(clock);
        proxy.resume();
        place.has_open(0).await;
    }

    #[with_session(timeout = "200ms")]
    async fn asks(session: &mut Session, id: i64, hole: Option<(&Proxy, &Clock)>) -> Result<(), Error> {
        note(session, id).await?;
        if let Some((proxy, clock)) = hole {
            proxy.hold();
            clock.leap();
        }
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn from_a_black_hole_the_caller_is_back_and_the_slot_free() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let clock = Clock::stop();
        let began = Instant::now();
        let error = asks(&pool, 1, Some((&proxy, &clock))).await.unwrap_err();
        let took = began.elapsed();
        assert!(about(300).contains(&took), "the deadline and 100 ms: {took:?}");
        drop(clock);
        assert_eq!(error.category(), Category::Timeout, "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent, "nothing is proven");
        assert!(!pool.sessions().is_empty(), "the reaper is still at it");
        let took = quiet_at_last(&pool).await;
        assert!(took < about(1000).end, "the slot is free within a second: {took:?}");
        proxy.resume();
        place.has_open(0).await;
        assert_eq!(place.count("notes").await, 0);
        let clock = Clock::stop();
        asks(&pool, 2, None).await.unwrap();
        drop(clock);
        let asked = stats(concat!(module_path!(), "::asks"));
        assert_eq!((asked.not_sent, asked.committed, asked.unknown), (1, 1, 0), "{asked:?}");
    }

    #[with_session]
    async fn gives_up(session: &mut Session, hole: &Proxy, clock: &Clock, panic: bool) -> Result<(), Error> {
        note(session, 1).await?;
        hole.hold();
        clock.leap();
        if panic {
            panic!("in the dark");
        }
        Err(transient())
    }

    #[with_session(timeout = "300ms")]
    async fn gives_up_in_time(session: &mut Session, hole: &Proxy, clock: &Clock, panic: bool) -> Result<(), Error> {
        gives_up(session, hole, clock, panic).await
    }

    /// However the body ends, the caller waits for the rollback a moment past its deadline and no longer.
    #[tokio::test]
    async fn from_a_black_hole_the_caller_of_a_rollback_is_back_by_its_deadline() {
        let place = Place::new().await;
        for panic in [false, true] {
            let (proxy, pool) = place.behind_proxy(1).await;
            let clock = Clock::stop();
            let began = Instant::now();
            if panic {
                assert_eq!(panic_of(gives_up_in_time(&pool, &proxy, &clock, panic)).await, "in the dark");
            } else {
                gives_up_in_time(&pool, &proxy, &clock, panic).await.unwrap_err();
            }
            let took = began.elapsed();
            assert!(took < about(400).end, "the deadline and 100 ms: {took:?}");
            drop(clock);
            let freed = quiet_at_last(&pool).await;
            assert!(took + freed < about(1000).end, "{took:?} + {freed:?}");
            proxy.resume();
            place.has_open(0).await;
        }
        assert_eq!(place.count("notes").await, 0);
    }

    /// Without a deadline too: no wait of a rollback is without an end.
    #[tokio::test]
    async fn from_a_black_hole_a_rollback_comes_back() {
        let place = Place::new().await;
        for panic in [false, true] {
            let (proxy, pool) = place.behind_proxy(1).await;
            let clock = Clock::stop();
            let began = Instant::now();
            if panic {
                assert_eq!(panic_of(gives_up(&pool, &proxy, &clock, panic)).await, "in the dark");
            } else {
                let error = gives_up(&pool, &proxy, &clock, panic).await.unwrap_err();
                assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::NotSent), "{error}");
            }
            let took = began.elapsed();
            assert!(took < about(1000).end, "{took:?}");
            drop(clock);
            assert_quiet(&pool);
            assert_eq!(pool.stats().size, 0);
            proxy.resume();
            place.has_open(0).await;
        }
        assert_eq!(place.count("notes").await, 0);
        let gave_up = stats(concat!(module_path!(), "::gives_up"));
        assert_eq!((gave_up.not_sent, gave_up.unknown, gave_up.panicked), (2, 0, 1), "{gave_up:?}");
    }

    #[with_session]
    async fn hangs(session: &mut Session, id: i64, hole: &Proxy, both: &Barrier, hang: &Barrier) -> Result<(), Error> {
        note(session, id).await?;
        both.wait().await;
        hole.hold();
        let mut statement = Box::pin(sqlx::query("SELECT 1").execute(&mut *session));
        assert!(statement.as_mut().now_or_never().is_none(), "sent, and not answered");
        hang.wait().await;
        statement.await?;
        Ok(())
    }

    /// The fault of a hung server with plain sqlx: two timed-out queries empty a pool of 2 for good.
    #[tokio::test]
    async fn from_a_black_hole_dropped_calls_free_their_slots() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        let (both, hang) = (Barrier::new(2), Barrier::new(3));
        let calls = [1, 2].map(|id| hangs(&pool, id, &proxy, &both, &hang));
        drop_when(hang.wait().map(drop), futures_util::future::join_all(calls)).await;
        assert_eq!(pool.sessions().len(), 2);
        let took = quiet_at_last(&pool).await;
        assert!(took < about(1000).end, "{took:?}");
        assert_eq!(pool.stats().size, 0, "nothing that hung is used again");
        proxy.resume();
        place.has_open(0).await;
        assert_eq!(place.count("notes").await, 0);
    }

    /// Hides what it is made of.
    #[derive(Debug)]
    struct Liar;

    impl From<Error> for Liar {
        fn from(_: Error) -> Self { Self }
    }

    impl steadfast::Classify for Liar {
        fn category(&self) -> Option<Category> { Some(Category::Conflict) }
    }

    #[with_session]
    #[steadfast::retry(immediate, max = 3)]
    async fn lies(session: &mut Session) -> Result<(), Liar> {
        note(session, i64::from(session.attempt())).await.map_err(|_| Liar)
    }

    #[tokio::test]
    async fn to_commit_no_error_type_talks_it_into_a_second_attempt() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        assert!(lies(&pool).await.is_err());
        // On MySQL the answer begins before COMMIT is through, and that is where it is cut.
        place.has_open(0).await;
        assert_eq!((proxy.fired(), place.count("notes").await), (1, 1));
    }
}
