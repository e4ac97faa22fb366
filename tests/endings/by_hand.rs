//! Sessions begun by hand end in the same ways.

each_database! {
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, SessionStage};

    #[tokio::test]
    async fn it_opens_at_its_first_statement_and_commits() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        assert_quiet(&pool);
        pay(&mut session, 1, -500).await.unwrap();
        let listed = pool.sessions();
        assert_eq!((listed.len(), listed[0].id, listed[0].stage), (1, session.id(), SessionStage::Open));
        assert_eq!((session.operation(), session.attempt(), session.deadline()), ("steadfast::begin", 1, None));
        assert_eq!((pool.stats().in_use, place.open_transactions().await), (1, 1));
        assert_eq!(place.cents(1).await, 1000, "not before COMMIT");
        session.commit().await.unwrap();
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.open_transactions().await), (500, 0));
    }

    #[tokio::test]
    async fn it_rolls_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        pay(&mut session, 1, -500).await.unwrap();
        session.rollback().await.unwrap();
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.open_transactions().await), (1000, 0));
        assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 0));
    }

    #[tokio::test]
    async fn without_a_statement_it_holds_nothing_however_it_ends() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        pool.begin().await.unwrap().commit().await.unwrap();
        pool.begin().await.unwrap().rollback().await.unwrap();
        drop(pool.begin().await.unwrap());
        assert_quiet(&pool);
        assert_eq!((pool.stats().opened, pool.stats().reaped), (0, 0));
    }

    #[tokio::test]
    async fn dropped_it_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        pay(&mut session, 1, -500).await.unwrap();
        drop(session);
        assert_eq!((pool.sessions().len(), pool.stats().reaping), (1, 1));
        quiet_at_once(&pool).await;
        assert_eq!((place.cents(1).await, place.open_transactions().await), (1000, 0));
        assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 1));
    }

    #[tokio::test]
    async fn dropped_mid_statement_the_slot_serves_the_next_at_once() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        pay(&mut session, 1, -500).await.unwrap();
        drop_when(place.slow_is_running(), sqlx::query(SLOW).execute(&mut session)).await;
        drop(session);
        let mut next = pool.begin().await.unwrap();
        in_time(pay(&mut next, 2, 1)).await.unwrap();
        next.commit().await.unwrap();
        assert_eq!((place.cents(1).await, place.cents(2).await, pool.stats().opened), (1000, 1001, 1));
    }

    /// Each of `commit` and `rollback` is dropped at each of its polls.
    #[tokio::test]
    async fn its_end_dropped_at_every_poll_is_whole_or_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for commit in [true, false] {
            for polls in 1.. {
                let before = place.cents(2).await;
                let mut session = pool.begin().await.unwrap();
                pay(&mut session, 1, -1).await.unwrap();
                pay(&mut session, 2, 1).await.unwrap();
                let end = async { if commit { session.commit().await } else { session.rollback().await } };
                let done = drop_at_poll(end, polls).await;
                quiet(&pool).await;
                assert_eq!(place.open_transactions().await, 0);
                assert_eq!(place.total().await, 10_000);
                // Once COMMIT was sent it runs to its end, and at its first poll it is sent.
                assert_eq!(place.cents(2).await - before, i64::from(commit), "dropped at poll {polls}");
                if let Some(done) = done {
                    done.unwrap();
                    break;
                }
            }
        }
        assert_eq!(pool.stats().opened, 1);
    }

    #[tokio::test]
    async fn set_rollback_only_keeps_nothing_and_commit_says_so() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        session.set_rollback_only();
        pay(&mut session, 1, -500).await.unwrap();
        let error = session.commit().await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Cancelled, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.open_transactions().await), (1000, 0));
    }

    #[tokio::test]
    async fn a_full_pool_is_an_error_of_the_first_statement() {
        let place = Place::new().await;
        let clock = Clock::stop();
        let pool = place.builder(1).acquire_timeout(Duration::from_millis(500)).connect().await.unwrap();
        let mut one = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut one).await.unwrap();
        let mut two = pool.begin().await.unwrap();
        // Nothing is sent: all that passes is the time in the queue.
        clock.leap();
        // On SQLite the queue of the writers comes first, and waits for as long as a lock may.
        let waited = tokio::time::timeout(Duration::from_secs(2), pay(&mut two, 1, 1)).await;
        drop(clock);
        match waited {
            Ok(result) => {
                let error = Error::from(result.unwrap_err());
                assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::NotSent), "{error}");
                assert!(error.is_retryable());
            }
            Err(_elapsed) => assert_eq!(NAME, "sqlite"),
        }
        one.rollback().await.unwrap();
        // It may still open: nothing was begun.
        let _clock = Clock::stop();
        pay(&mut two, 1, 1).await.unwrap();
        two.commit().await.unwrap();
        assert_eq!(place.cents(1).await, 1001);
        assert_quiet(&pool);
    }
}
