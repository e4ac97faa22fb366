//! How a pool ends, and what it leaves.

each_database! {
    use steadfast::{with_session, Category, Error, Outcome, SessionStage};
    use tokio::sync::Barrier;

    #[with_session]
    async fn touch(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    /// Holds a connection until as many do as the barrier wants.
    #[with_session(read_only)]
    async fn meet(session: &mut Session, others: &Barrier) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        others.wait().await;
        Ok(())
    }

    #[tokio::test]
    async fn close_waits_for_sessions_and_refuses_new_ones() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'in time')").execute(&mut session).await.unwrap();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { meet(&pool, &Barrier::new(1)).await }
        });
        eventually("another one waits for the slot", || async { pool.stats().waiting == 1 }).await;
        let closing = tokio::spawn({
            let pool = pool.clone();
            async move { pool.close().await }
        });
        eventually("the pool is closing", || async { pool.is_closed() }).await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Closed, Outcome::NotSent));
        let error = touch(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Closed);
        assert!(!error.is_retryable());
        assert_eq!(pool.begin().await.unwrap_err().category(), Category::Closed);
        let raw = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
        assert_eq!(Error::from(raw).category(), Category::Closed);
        assert!(!closing.is_finished(), "the open session is waited for");
        sqlx::query("INSERT INTO notes VALUES (2, 'still')").execute(&mut session).await.unwrap();
        session.commit().await.unwrap();
        let report = closing.await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(place.count("notes").await, 2);
        assert_eq!(pool.stats().size, 0);
        assert!(pool.close().await.is_clean(), "closing twice is no harm");
    }

    #[tokio::test]
    async fn close_says_what_it_left() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'late')").execute(&mut session).await.unwrap();
        // The half minute passes at once.
        let clock = Clock::stop();
        clock.leap();
        let report = pool.close().await;
        drop(clock);
        assert!(!report.is_clean());
        let [left] = &report.left[..] else { panic!("{report:?}") };
        assert_eq!((left.id, left.operation, left.stage), (session.id(), session.operation(), SessionStage::Open));
        // What was left still ends as it should.
        session.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 1);
        assert!(pool.sessions().is_empty());
        assert_eq!(pool.stats().size, 0, "its connection was closed behind it");
    }

    #[tokio::test]
    async fn close_waits_for_the_reaper() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'gone')").execute(&mut session).await.unwrap();
        drop(session);
        assert!(pool.close().await.is_clean());
        assert_eq!((place.count("notes").await, place.open_transactions().await), (0, 0));
        assert_eq!(pool.stats().reaped, 1);
    }

    #[tokio::test]
    async fn clones_are_one_pool() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clone = pool.clone();
        touch(&clone).await.unwrap();
        assert_eq!(pool.stats().opened, 1);
        let stats = stats(concat!(module_path!(), "::touch"));
        assert!(stats.committed >= 1);
        clone.close().await;
        assert!(pool.is_closed());
    }
}
