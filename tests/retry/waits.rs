//! How soon the next attempt comes.

each_database! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::time::Duration;
    use tokio::time::Instant;
    use steadfast::{retry, with_session, Category, Error};

    #[with_session]
    #[retry(fixed, base = "40ms", max = 3)]
    async fn fixed(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(exponential, base = "20ms", factor = 3, jitter = none, max = 3)]
    async fn exponential(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(exponential, base = "20ms", cap = "30ms", factor = 3, jitter = none, max = 3)]
    async fn capped(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(immediate, max = 50)]
    async fn immediate(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(none)]
    async fn never(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    async fn without(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn each_strategy_waits_as_it_says() {
        let place = Place::new().await;
        // Fifty attempts are more than a pool in trouble is given.
        let pool = place.builder(1).retry_budget(steadfast::RetryBudget::unlimited()).connect().await.unwrap();
        // No body sends anything: all that passes is the waits.
        let clock = Clock::stop();
        clock.leap();
        macro_rules! waits {
            ($function:ident, $runs:literal, $millis:expr) => {{
                let (runs, began) = (AtomicU32::new(0), Instant::now());
                $function(&pool, &runs).await.unwrap_err();
                assert_eq!(runs.load(SeqCst), $runs);
                let took = began.elapsed();
                assert!(about($millis).contains(&took), "{}: {took:?}", stringify!($function));
            }};
        }
        waits!(fixed, 3, 40 + 40);
        waits!(exponential, 3, 20 + 60);
        waits!(capped, 3, 20 + 30);
        waits!(immediate, 50, 0);
        waits!(never, 1, 0);
        waits!(without, 1, 0);
    }

    #[with_session]
    #[retry(fixed, base = "150ms", within = "400ms", max = 100)]
    async fn within_limit(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn within_ends_the_attempts() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        clock.leap();
        let (runs, began) = (AtomicU32::new(0), Instant::now());
        within_limit(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 3, "at 0, 150 and 300 ms");
        let took = began.elapsed();
        assert!(about(300).contains(&took), "{took:?}");
    }

    #[with_session(timeout = "10s")]
    #[retry(fixed, base = "1m")]
    async fn no_time_left(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_not_begun() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        clock.leap();
        let (runs, began) = (AtomicU32::new(0), Instant::now());
        let error = no_time_left(&pool, &runs).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!((runs.load(SeqCst), error.category()), (1, Category::Capacity));
    }
}
