//! The deadline of `timeout` passes.

each_database! {
    use std::time::{Duration, Instant};
    use steadfast::{with_session, Category, Error, Outcome};

    /// Beyond what the deadline and the 100 ms after it allow: a machine that is busy with other things.
    const BUSY: Duration = Duration::from_millis(500);

    async fn pay(session: &mut Session, id: i64, cents: i64) -> Result<(), sqlx::Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(cents).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    #[track_caller]
    fn in_time(began: Instant, deadline: u64) {
        let (took, deadline) = (began.elapsed(), Duration::from_millis(deadline));
        assert!(took >= deadline, "{took:?} is before the deadline of {deadline:?}");
        assert!(took < deadline + Duration::from_millis(100) + BUSY, "{took:?} for a deadline of {deadline:?}");
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
        let began = Instant::now();
        let error = queues(&pool).await.unwrap_err();
        in_time(began, 150);
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::NotSent), "{error}");
        assert!(!error.is_retryable());
        assert_eq!((pool.sessions().len(), pool.stats().waiting), (1, 0));
        holder.commit().await.unwrap();
        assert_quiet(&pool);
        let queued = stats(concat!(module_path!(), "::queues"));
        assert_eq!((queued.not_sent, queued.failed(Category::Timeout), queued.cancelled), (1, 1, 0));
    }

    #[with_session(timeout = "150ms")]
    async fn dawdles(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[tokio::test]
    async fn in_the_body() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let began = Instant::now();
        let error = dawdles(&pool).await.unwrap_err();
        in_time(began, 150);
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
        let began = Instant::now();
        let error = runs_long(&pool).await.unwrap_err();
        in_time(began, 150);
        assert_eq!(error.category(), Category::Timeout, "{error}");
        quiet(&pool).await;
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(pool.stats().opened, 1, "the same connection serves on");
        assert_eq!(stats(concat!(module_path!(), "::runs_long")).rolled_back, 1);
        // And nothing of the deadline stays on it.
        let mut next = pool.begin().await.unwrap();
        tokio::time::sleep(Duration::from_millis(160)).await;
        pay(&mut next, 1, 1).await.unwrap();
        next.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 1001);
    }

    #[with_session(timeout = "50ms")]
    async fn blocks(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        // Never lets the deadline speak before the body is through.
        std::thread::sleep(Duration::from_millis(80));
        Ok(())
    }

    #[tokio::test]
    async fn commit_is_not_sent_after_it() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = blocks(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
    }

    #[with_session(timeout = "30s")]
    async fn patient(session: &mut Session, outer: Option<tokio::time::Instant>) -> Result<(), Error> {
        let own = session.deadline().unwrap();
        if let Some(outer) = outer {
            assert_eq!(own, outer, "the earlier one holds");
        }
        pay(session, 3, 1).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[with_session(timeout = "150ms")]
    async fn hasty(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        let deadline = session.deadline();
        patient(&mut *session, deadline).await
    }

    #[tokio::test]
    async fn an_outer_one_that_is_earlier_ends_the_inner_call_too() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let began = Instant::now();
        let error = hasty(&pool).await.unwrap_err();
        in_time(began, 150);
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(3).await), (1000, 1000));
    }

    #[with_session(timeout = "100ms")]
    async fn gives_up(session: &mut Session) -> Result<(), Error> {
        pay(session, 3, 1).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[with_session(timeout = "20s")]
    async fn carries_on(session: &mut Session) -> Result<Error, Error> {
        pay(session, 1, -500).await?;
        let deadline = session.deadline();
        assert!(deadline.is_some());
        let error = gives_up(&mut *session).await.unwrap_err();
        assert_eq!(session.deadline(), deadline, "the outer one holds again");
        pay(session, 2, 500).await?;
        Ok(error)
    }

    #[tokio::test]
    async fn an_inner_one_ends_the_inner_call_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let began = Instant::now();
        let error = carries_on(&pool).await.unwrap();
        in_time(began, 100);
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await, place.cents(3).await), (500, 1500, 1000));
    }

    #[with_session(timeout = "20s")]
    async fn outlives(session: &mut Session) -> Result<Duration, Error> {
        pay(session, 1, -500).await?;
        let error = slow_inside(&mut *session).await.unwrap_err();
        assert_eq!(error.category(), Category::Timeout);
        let began = Instant::now();
        pay(session, 2, 500).await?;
        Ok(began.elapsed())
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
        match outlives(&pool).await {
            Ok(took) => {
                assert!(!DROP_DOOMS_SESSION);
                assert!(took < Duration::from_secs(1), "{took:?}");
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
        opens_in_a_hurry(&mut session).await.unwrap();
        if NAME != "sqlite" {
            let nap = SLOW.replace("30", "0.6");
            sqlx::query(sqlx::AssertSqlSafe(nap)).execute(&mut session).await.unwrap();
        }
        session.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 500);
    }
}
