//! The deadline of `timeout` passes.

each_database! {
    use std::time::Duration;
    use steadfast::{with_session, Category, Error, Outcome, SessionStage};
    use tokio::sync::Notify;
    use tokio::time::Instant;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    /// The answer of a call whose deadline passes once its body has come so far; whatever the server takes meanwhile
    /// takes no time.
    async fn overdue<T: std::fmt::Debug>(
        pool: &Pool,
        deadline: u64,
        so_far: &Notify,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let clock = Clock::stop();
        let began = Instant::now();
        let deadline_passes = async {
            so_far.notified().await;
            clock.skip(MILLIS(deadline - 1));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(pool.sessions()[0].stage, SessionStage::Open, "a millisecond before the deadline");
            clock.skip(MILLIS(2));
        };
        let (answer, ()) = tokio::join!(call, deadline_passes);
        assert_eq!(began.elapsed(), MILLIS(deadline + 1), "and no other limit had to");
        answer
    }

    #[with_session(timeout = "150ms")]
    async fn queues(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_the_queue() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = pool.begin().await.unwrap();
        pay(&mut holder, 2, 1).await.unwrap();
        let clock = Clock::stop();
        // Nothing is sent: all that passes is the time in the queue.
        clock.leap();
        let began = Instant::now();
        let error = queues(&pool).await.unwrap_err();
        assert!(about(150).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(clock);
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::NotSent), "{error}");
        assert!(!error.is_retryable());
        assert_eq!((pool.sessions().len(), pool.stats().waiting), (1, 0));
        holder.commit().await.unwrap();
        assert_quiet(&pool);
        let queued = stats(concat!(module_path!(), "::queues"));
        assert_eq!((queued.not_sent, queued.failed(Category::Timeout), queued.cancelled), (1, 1, 0));
    }

    #[with_session(timeout = "150ms")]
    async fn dawdles(session: &mut Session, has_paid: &Notify) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        has_paid.notify_one();
        std::future::pending::<()>().await;
        Ok(())
    }

    /// Trap 17: an early `return`, `?` or timeout commits.
    #[tokio::test]
    async fn in_the_body() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let has_paid = Notify::new();
        let error = overdue(&pool, 150, &has_paid, dawdles(&pool, &has_paid)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert!(error.operation().unwrap().ends_with("::dawdles"));
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 0));
        let dawdled = stats(concat!(module_path!(), "::dawdles"));
        assert_eq!((dawdled.rolled_back, dawdled.failed(Category::Timeout), dawdled.cancelled), (1, 1, 0));
    }

    #[with_session(timeout = "150ms")]
    async fn runs_long(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_a_statement() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = overdue_in_statement(&pool, MILLIS(150), || place.runs_slow(), runs_long(&pool)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(pool.stats().opened, 1, "the same connection serves on");
        assert_eq!(stats(concat!(module_path!(), "::runs_long")).rolled_back, 1);
        // And nothing of the deadline stays on it: neither here nor, where there is one, on the server.
        let mut next = pool.begin().await.unwrap();
        pay(&mut next, 1, 1).await.unwrap();
        nap(&mut next, "0.3").await.unwrap();
        let clock = Clock::stop();
        clock.skip(Duration::from_secs(1));
        drop(clock);
        pay(&mut next, 2, 1).await.unwrap();
        next.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 1001);
    }

    /// A statement that takes so many seconds. SQLite has none, and no server that would mind.
    async fn nap(session: &mut Session, seconds: &str) -> Result<(), sqlx::Error> {
        if NAME != "sqlite" {
            sqlx::query(sql(&SLOW.replace("30", seconds))).execute(&mut *session).await?;
        }
        Ok(())
    }

    #[with_session(timeout = "50ms")]
    async fn blocks(session: &mut Session, clock: &Clock) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        // As a body that computes: the deadline is not heard before it is through.
        clock.skip(MILLIS(80));
        Ok(())
    }

    /// Trap 17: an early `return`, `?` or timeout commits.
    #[tokio::test]
    async fn commit_is_not_sent_after_it() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = blocks(&pool, &Clock::stop()).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
    }

    #[with_session(timeout = "30s")]
    async fn patient(session: &mut Session, outer: Option<Instant>, has_paid: &Notify) -> Result<(), Error> {
        let own = session.deadline().unwrap();
        if let Some(outer) = outer {
            assert_eq!(own, outer, "the earlier one holds");
        }
        pay(session, 3, 1).await?;
        has_paid.notify_one();
        std::future::pending::<()>().await;
        Ok(())
    }

    #[with_session(timeout = "150ms")]
    async fn hasty(session: &mut Session, has_paid: &Notify) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        let deadline = session.deadline();
        patient(&mut *session, deadline, has_paid).await
    }

    #[tokio::test]
    async fn an_outer_one_that_is_earlier_ends_the_inner_call_too() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let has_paid = Notify::new();
        let error = overdue(&pool, 150, &has_paid, hasty(&pool, &has_paid)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(3).await), (1000, 1000));
    }

    #[with_session(timeout = "100ms")]
    async fn gives_up(session: &mut Session, has_paid: &Notify) -> Result<(), Error> {
        pay(session, 3, 1).await?;
        has_paid.notify_one();
        std::future::pending::<()>().await;
        Ok(())
    }

    #[with_session(timeout = "20s")]
    async fn carries_on(session: &mut Session, has_paid: &Notify) -> Result<Error, Error> {
        pay(session, 1, -500).await?;
        let deadline = session.deadline();
        assert!(deadline.is_some());
        let error = gives_up(&mut *session, has_paid).await.unwrap_err();
        assert_eq!(session.deadline(), deadline, "the outer one holds again");
        pay(session, 2, 500).await?;
        Ok(error)
    }

    #[tokio::test]
    async fn an_inner_one_ends_the_inner_call_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let has_paid = Notify::new();
        let error = overdue(&pool, 100, &has_paid, carries_on(&pool, &has_paid)).await.unwrap();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await, place.cents(3).await), (500, 1500, 1000));
    }

    #[with_session(timeout = "20s")]
    async fn outlives(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        let error = slow_inside(&mut *session).await.unwrap_err();
        assert_eq!(error.category(), Category::Timeout);
        pay(session, 2, 500).await?;
        Ok(())
    }

    #[with_session(timeout = "100ms")]
    async fn slow_inside(session: &mut Session) -> Result<(), Error> {
        pay(session, 3, 1).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_inner_one_in_a_statement_stops_that() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        let is_slow = async {
            clock.eventually("the slow statement runs", || place.runs_slow()).await;
            drop(clock);
        };
        match tokio::join!(in_time(outlives(&pool)), is_slow).0 {
            Ok(()) => {
                assert!(!DROP_DOOMS_SESSION);
                assert_eq!((place.cents(1).await, place.cents(2).await, place.cents(3).await), (500, 1500, 1000));
            }
            Err(error) => {
                assert!(DROP_DOOMS_SESSION, "{error}");
                assert_eq!(error.outcome(), Outcome::RolledBack);
                assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
            }
        }
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
    }

    #[with_session(timeout = "300ms")]
    async fn opens_in_a_hurry(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        Ok(())
    }

    /// BEGIN goes out in the inner call, but the server's limit is the transaction's.
    #[tokio::test]
    async fn an_inner_one_leaves_no_limit_behind() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        let clock = Clock::stop();
        opens_in_a_hurry(&mut session).await.unwrap();
        drop(clock);
        nap(&mut session, "0.6").await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 500);
    }
}
