//! The body returns, fails or panics.

each_database! {
    use steadfast::{with_session, Category, Error, Integrity, Outcome, Phase, SessionStage};

    #[with_session]
    async fn ok(session: &mut Session, pool: &Pool) -> Result<&'static str, Error> {
        assert!(pool.sessions().is_empty(), "it opens at its first statement");
        assert_eq!(pool.stats().in_use, 0);
        pay(session, 1, -500).await?;
        let listed = pool.sessions();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id, listed[0].operation), (session.id(), session.operation()));
        assert_eq!((listed[0].attempt, listed[0].stage), (1, SessionStage::Open));
        assert_eq!(pool.stats().in_use, 1);
        pay(session, 2, 500).await?;
        Ok("done")
    }

    #[tokio::test]
    async fn an_ok_commits() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        assert_eq!(ok(&pool, &pool).await.unwrap(), "done");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await), (500, 1500));
        assert_eq!(place.open_transactions().await, 0);
        let stats = stats(concat!(module_path!(), "::ok"));
        assert_eq!((stats.started, stats.committed, stats.ended(), stats.in_flight()), (1, 1, 1, 0));
    }

    #[with_session]
    async fn question_mark(session: &mut Session) -> Result<(), Error> {
        pay(session, 2, 500).await?;
        pay(session, 1, -5000).await?;
        unreachable!("the account holds 1000")
    }

    /// Trap 17: an early `return`, `?` or timeout commits.
    #[tokio::test]
    async fn a_question_mark_rolls_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = question_mark(&pool).await.unwrap_err();
        assert_quiet(&pool);
        assert_eq!(error.category(), Category::Integrity(Integrity::Check));
        assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack));
        assert!(error.operation().unwrap().ends_with("::question_mark"));
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
        assert_eq!(place.open_transactions().await, 0);
        let stats = stats(concat!(module_path!(), "::question_mark"));
        assert_eq!((stats.rolled_back, stats.failed(Category::Integrity(Integrity::Check))), (1, 1));
    }

    #[with_session]
    async fn refuses(session: &mut Session) -> anyhow::Result<()> {
        pay(session, 2, 500).await?;
        anyhow::bail!("no money for strangers")
    }

    /// Trap 3: a failure that is not an error commits.
    #[tokio::test]
    async fn an_error_of_the_callers_own_rolls_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(refuses(&pool).await.unwrap_err().to_string(), "no money for strangers");
        assert_quiet(&pool);
        assert_eq!(place.cents(2).await, 1000);
        let stats = stats(concat!(module_path!(), "::refuses"));
        assert_eq!((stats.rolled_back, stats.failures().count()), (1, 0));
    }

    #[with_session]
    async fn early(session: &mut Session, well: bool) -> Result<u8, Error> {
        pay(session, 1, 1).await?;
        if well {
            return Ok(1);
        }
        for _ in 0..3 {
            if !well {
                return Err(sqlx::Error::RowNotFound.into());
            }
        }
        pay(session, 1, 100).await?;
        Ok(2)
    }

    /// Trap 17: an early `return`, `?` or timeout commits.
    #[tokio::test]
    async fn an_early_return_ends_like_a_late_one() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(early(&pool, true).await.unwrap(), 1);
        assert_eq!(place.cents(1).await, 1001);
        let error = early(&pool, false).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::NotFound, Outcome::RolledBack));
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1001);
    }

    #[with_session]
    async fn idle(_session: &mut Session, well: bool) -> Result<(), Error> {
        tokio::task::yield_now().await;
        if well { Ok(()) } else { Err(transient()) }
    }

    #[tokio::test]
    async fn a_body_without_a_statement_needs_no_connection() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = pool.begin().await.unwrap();
        pay(&mut holder, 1, 1).await.unwrap();
        assert_eq!(pool.stats().in_use, 1, "the only slot is taken");
        idle(&pool, true).await.unwrap();
        assert_eq!(idle(&pool, false).await.unwrap_err().outcome(), Outcome::NotSent);
        assert_eq!(pool.sessions().len(), 1);
        holder.rollback().await.unwrap();
        assert_quiet(&pool);
        let stats = stats(concat!(module_path!(), "::idle"));
        assert_eq!((stats.started, stats.not_sent, stats.committed, stats.rolled_back), (2, 2, 0, 0));
    }

    #[with_session]
    async fn panics(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        panic!("out of {}", "cheese")
    }

    #[tokio::test]
    async fn a_panic_is_resumed_once_all_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(panic_of(panics(&pool)).await, "out of cheese");
        // Now, not soon: the rollback came first.
        assert_quiet(&pool);
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 0));
        let panicked = stats(concat!(module_path!(), "::panics"));
        assert_eq!((panicked.panicked, panicked.rolled_back, panicked.cancelled), (1, 1, 0));
        assert_eq!(place.count("notes").await, 0);
        early(&pool, true).await.unwrap();
        assert_eq!(pool.stats().opened, 1, "the same connection serves on");
    }

    struct Grenade(&'static str);
    impl Drop for Grenade {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("{}", self.0);
            }
        }
    }

    #[with_session]
    async fn carries(session: &mut Session, grenade: Grenade, wait: bool) -> Result<(), Error> {
        let _grenade = grenade;
        pay(session, 1, -500).await?;
        if wait {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_panic_of_a_destructor_is_a_panic() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(panic_of(carries(&pool, Grenade("at the end"), false)).await, "at the end");
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(stats(concat!(module_path!(), "::carries")).rolled_back, 1);

        // And where the future is dropped: the panic is the dropper's, the rollback happens all the same.
        let mut call = Box::pin(carries(&pool, Grenade("half-way"), true));
        drop_when(place.has_open(1), &mut call).await;
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(call)));
        assert!(dropped.is_err());
        quiet(&pool).await;
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!(place.open_transactions().await, 0);
    }

    #[with_session]
    async fn rehearses(session: &mut Session) -> Result<i64, Error> {
        pay(session, 1, -500).await?;
        session.set_rollback_only();
        pay(session, 2, 500).await?;
        let cents = sqlx::query_scalar(sql("SELECT cents FROM accounts WHERE id = 2"))
            .fetch_one(&mut *session).await?;
        Ok(cents)
    }

    #[tokio::test]
    async fn a_session_set_rollback_only_answers_and_keeps_nothing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(rehearses(&pool).await.unwrap(), 1500, "it sees its own work");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
        let stats = stats(concat!(module_path!(), "::rehearses"));
        assert_eq!((stats.rolled_back, stats.committed, stats.failures().count()), (1, 0, 0));
    }
}
