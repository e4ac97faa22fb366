//! A connection that is lost elsewhere than in the session: nobody vouches for what was sent on it, whatever the error
//! type, and whatever it is wrapped in.

each_server! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use sqlx::Connection as _;
    use steadfast::{retry, with_session, Category, Classify, Error, Outcome, SessionError};
    use xtask::proxy::Fault;

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Derived {
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    const CHARGE: &str = "INSERT INTO tree VALUES (1)";

    async fn charge(pool: &Plain, runs: &AtomicU32) -> sqlx::Result<()> {
        runs.fetch_add(1, SeqCst);
        sqlx::query(CHARGE).execute(pool).await?;
        Ok(())
    }

    #[retry(immediate, max = 3)]
    async fn in_ours(pool: &Plain, runs: &AtomicU32) -> Result<(), Error> {
        Ok(charge(pool, runs).await?)
    }

    #[retry(immediate, max = 3)]
    async fn derived(pool: &Plain, runs: &AtomicU32) -> Result<(), Derived> {
        Ok(charge(pool, runs).await?)
    }

    #[retry(immediate, max = 3)]
    async fn in_sqlx(pool: &Plain, runs: &AtomicU32) -> sqlx::Result<()> {
        charge(pool, runs).await
    }

    #[retry(immediate, max = 3)]
    async fn in_anyhow(pool: &Plain, runs: &AtomicU32) -> anyhow::Result<()> {
        Ok(charge(pool, runs).await.map_err(Error::from)?)
    }

    #[retry(immediate, max = 3)]
    async fn at_commit(pool: &Plain, runs: &AtomicU32) -> Result<(), Derived> {
        runs.fetch_add(1, SeqCst);
        let mut transaction = pool.begin().await?;
        sqlx::query(CHARGE).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    #[retry(immediate, max = 3)]
    async fn on_a_lease(pool: &Pool, runs: &AtomicU32) -> Result<(), Derived> {
        runs.fetch_add(1, SeqCst);
        let mut lease = pool.acquire().await?;
        sqlx::query(CHARGE).execute(&mut *lease).await?;
        pool.release(lease).await?;
        Ok(())
    }

    #[retry(immediate, max = 3)]
    async fn at_commit_on_a_lease(pool: &Pool, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        let mut lease = pool.acquire().await?;
        let mut transaction = lease.begin().await?;
        sqlx::query(CHARGE).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn managed(session: &mut Session, other: &Plain, runs: &AtomicU32) -> Result<(), Derived> {
        note(session, 1).await?;
        Ok(charge(other, runs).await?)
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn managed_in_sqlx(session: &mut Session, other: &Plain, runs: &AtomicU32) -> sqlx::Result<()> {
        note(session, 1).await?;
        charge(other, runs).await
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn managed_with_a_lease(session: &mut Session, other: &Pool, runs: &AtomicU32) -> Result<(), Error> {
        note(session, 1).await?;
        on_a_lease(other, runs).await.map_err(|Derived::Db(error)| error)
    }

    #[tokio::test]
    async fn is_not_repeated_and_its_outcome_is_unknown() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let (proxy, pool) = place.behind_proxy(2).await;
        let direct = place.pool(1).await;
        let old = Plain::connect(&proxy.url()).await.unwrap();
        let runs = AtomicU32::new(0);
        macro_rules! doubted {
            ($words:literal, $call:expr) => {{
                let before = proxy.fired();
                proxy.on(|sent| sent.runs($words), Fault::CutAnswer);
                let error = in_time($call).await.unwrap_err();
                assert_eq!(proxy.fired() - before, 1);
                assert_eq!(runs.swap(0, SeqCst), 1, "{}", stringify!($call));
                assert_eq!(place.count("tree").await, 1, "{}", stringify!($call));
                assert_eq!(place.count("notes").await, 0, "{}", stringify!($call));
                assert_eq!(Classify::category(&error), Some(Category::Connection), "{error:?}");
                sqlx::query("DELETE FROM tree").execute(&place.plain).await.unwrap();
                Classify::outcome(&error)
            }};
        }
        let unknown = Some(Outcome::Unknown);
        assert_eq!(doubted!("INSERT INTO tree", in_ours(&old, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", derived(&old, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", in_anyhow(&old, &runs)), unknown);
        assert_eq!(doubted!("COMMIT", at_commit(&old, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", on_a_lease(&pool, &runs)), unknown);
        assert_eq!(doubted!("COMMIT", at_commit_on_a_lease(&pool, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", managed(&direct, &old, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", managed_with_a_lease(&direct, &pool, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", in_sqlx(&old, &runs)), unknown);
        assert_eq!(doubted!("INSERT INTO tree", managed_in_sqlx(&direct, &old, &runs)), unknown);
    }

    /// What the session's own connection has lost is undone, and repeated, in any error type.
    #[tokio::test]
    async fn unlike_one_that_the_session_has_lost() {
        #[with_session]
        #[retry(immediate, max = 3)]
        async fn ours(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
            runs.fetch_add(1, SeqCst);
            Ok(note(session, 1).await?)
        }

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn theirs(session: &mut Session, runs: &AtomicU32) -> sqlx::Result<()> {
            runs.fetch_add(1, SeqCst);
            note(session, 2).await
        }

        #[with_session]
        async fn inner(session: &mut Session) -> anyhow::Result<()> {
            Ok(note(session, 3).await?)
        }

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn nested(session: &mut Session, runs: &AtomicU32) -> anyhow::Result<()> {
            runs.fetch_add(1, SeqCst);
            inner(session).await
        }

        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let runs = AtomicU32::new(0);
        for _ in 0..2 {
            proxy.on(|sent| sent.runs("INSERT INTO notes"), Fault::CutAnswer);
        }
        ours(&pool, &runs).await.unwrap();
        proxy.on(|sent| sent.runs("INSERT INTO notes"), Fault::CutBefore);
        theirs(&pool, &runs).await.unwrap();
        proxy.on(|sent| sent.runs("INSERT INTO notes"), Fault::CutAnswer);
        nested(&pool, &runs).await.unwrap();
        assert_eq!(runs.load(SeqCst), 7);
        assert_eq!(place.notes().await, [1, 2, 3]);
    }

    async fn step(pool: &Pool, id: i64, swallows: bool) -> Result<(), Error> {
        let mut session = pool.begin().await?;
        let noted = note(&mut session, id).await;
        if swallows {
            note(&mut session, id + 100).await?;
        }
        noted?;
        session.commit().await?;
        Ok(())
    }

    #[retry(immediate, max = 3)]
    async fn two_steps(pool: &Pool, runs: &AtomicU32, swallows: bool) -> Result<(), Derived> {
        let run = i64::from(runs.fetch_add(1, SeqCst));
        step(pool, 10 * run, false).await?;
        Ok(step(pool, 10 * run + 1, swallows).await?)
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn two_steps_in_a_call(session: &mut Session, pool: &Pool, runs: &AtomicU32, swallows: bool) -> Result<(), Error> {
        // It holds no lock that the other would wait for.
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        two_steps(pool, runs, swallows).await.map_err(|Derived::Db(error)| error)
    }

    /// What went ahead of a session by hand is not done again for its sake.
    #[tokio::test]
    async fn also_of_a_session_by_hand() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let direct = place.pool(1).await;
        let runs = AtomicU32::new(0);
        for swallows in [false, true] {
            for in_a_call in [false, true] {
                let before = proxy.fired();
                let notes = AtomicU32::new(0);
                proxy.on(move |sent| sent.runs("INSERT INTO notes") && notes.fetch_add(1, SeqCst) == 1, Fault::CutAnswer);
                let outcome = if in_a_call {
                    two_steps_in_a_call(&direct, &pool, &runs, swallows).await.unwrap_err().outcome()
                } else {
                    Classify::outcome(&two_steps(&pool, &runs, swallows).await.unwrap_err()).unwrap()
                };
                assert_eq!((proxy.fired() - before, runs.swap(0, SeqCst), outcome), (1, 1, Outcome::Unknown), "{swallows}, {in_a_call}");
                assert_eq!(place.notes().await, [0]);
                // The server undoes what was lost once it has heard of that.
                place.has_open(0).await;
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn managed_and_noted(session: &mut Session, other: &Plain, runs: &AtomicU32) -> Result<(), Derived> {
        note(session, 1).await?;
        if let Err(error) = charge(other, runs).await {
            // On the same network: that is lost as well.
            let _lost = note(session, 2).await;
            return Err(error.into());
        }
        Ok(())
    }

    /// That the session has lost its own connection too says nothing of the other.
    #[tokio::test]
    async fn also_where_the_sessions_own_is_lost_behind_it() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let (proxy, pool) = place.behind_proxy(1).await;
        let old = Plain::connect(&proxy.url()).await.unwrap();
        let runs = AtomicU32::new(0);
        proxy.on(|sent| sent.runs("INSERT INTO tree"), Fault::CutAnswer);
        // The second of the session's, whatever its values.
        let notes = AtomicU32::new(0);
        proxy.on(move |sent| sent.runs("INSERT INTO notes") && notes.fetch_add(1, SeqCst) == 1, Fault::CutBefore);
        let error = in_time(managed_and_noted(&pool, &old, &runs)).await.unwrap_err();
        assert_eq!(proxy.fired(), 2);
        assert_eq!((runs.load(SeqCst), place.count("tree").await, place.count("notes").await), (1, 1, 0));
        assert_eq!(Classify::outcome(&error), Some(Outcome::Unknown));
    }

    #[with_session]
    async fn nested(session: &mut Session) -> Result<(), Error> {
        Ok(note(session, 2).await?)
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn killed_ahead_of_a_savepoint(session: &mut Session, plain: &Plain, in_closure: bool) -> Result<u32, Derived> {
        let attempt = session.attempt();
        note(session, 1).await?;
        if attempt == 1 {
            let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?;
            let kill = if NAME == "postgres" { format!("SELECT pg_terminate_backend({id}::int)") } else { format!("KILL {id}") };
            sqlx::raw_sql(sql(&kill)).execute(plain).await?;
            let gone = if NAME == "postgres" {
                format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {id}")
            } else {
                format!("SELECT count(*) FROM information_schema.processlist WHERE id = {id}")
            };
            eventually("it is gone", || async { sqlx::query_scalar::<_, i64>(sql(&gone)).fetch_one(plain).await.unwrap() == 0 }).await;
        }
        if in_closure {
            session.savepoint(async |session| note(session, 2).await).await?;
        } else {
            nested(session).await?;
        }
        Ok(attempt)
    }

    /// The server says why at the SAVEPOINT: that connection is nobody else's.
    #[tokio::test]
    async fn unlike_one_that_is_found_lost_at_a_savepoint() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for in_closure in [true, false] {
            assert_eq!(killed_ahead_of_a_savepoint(&pool, &place.plain, in_closure).await.unwrap(), 2);
            assert_eq!(place.notes().await, [1, 2]);
            sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
    }

    /// By hand, and it tells no more than its category.
    #[derive(Debug)]
    struct Coarse(Option<Category>);

    impl From<Error> for Coarse {
        fn from(error: Error) -> Self {
            Self(Some(error.category()))
        }
    }

    impl Classify for Coarse {
        fn category(&self) -> Option<Category> {
            self.0
        }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn swallows(session: &mut Session, runs: &AtomicU32) -> Result<(), Coarse> {
        runs.fetch_add(1, SeqCst);
        let _swallowed = note(session, 1).await;
        Ok(())
    }

    /// What the session itself answers is no error from elsewhere, whatever it is turned into.
    #[tokio::test]
    async fn unlike_what_the_session_answers_itself() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        let runs = AtomicU32::new(0);
        proxy.on(|sent| sent.runs("INSERT INTO notes"), Fault::CutBefore);
        swallows(&pool, &runs).await.unwrap();
        assert_eq!((runs.load(SeqCst), place.notes().await), (2, vec![1]));
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn outer(session: &mut Session, other: &Pool, runs: &AtomicU32, wrap: fn(Error) -> sqlx::Error) -> sqlx::Result<()> {
        note(session, 1).await?;
        committing(other, runs).await.map_err(wrap)
    }

    #[with_session]
    async fn committing(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        sqlx::query(CHARGE).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn no_variant_of_the_drivers_error_hides_a_commit_in_doubt() {
        const WRAPS: [fn(Error) -> sqlx::Error; 6] = [
            sqlx::Error::from,
            |error| sqlx::Error::Io(std::io::Error::other(error)),
            |error| sqlx::Error::Decode(Box::new(error)),
            |error| sqlx::Error::Configuration(Box::new(error)),
            |error| sqlx::Error::AnyDriverError(Box::new(Derived::Db(error))),
            |error| sqlx::Error::AnyDriverError(anyhow::Error::from(error).context("while charging").into()),
        ];
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        let (proxy, other) = place.behind_proxy(1).await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        for (index, wrap) in WRAPS.into_iter().enumerate() {
            proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            let error = in_time(outer(&pool, &other, &runs, wrap)).await.unwrap_err();
            assert_eq!((Classify::outcome(&error), runs.swap(0, SeqCst)), (Some(Outcome::Unknown), 1), "{index}: {error:?}");
            assert_eq!(Error::from(error).outcome(), Outcome::Unknown, "{index}");
            assert_eq!((place.count("tree").await, place.count("notes").await), (1, 0), "{index}");
            sqlx::query("DELETE FROM tree").execute(&place.plain).await.unwrap();
        }
    }
}

mod files {
    each_database! {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        use steadfast::{retry, with_session, Category, Classify};

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn reads_a_file(session: &mut Session, runs: &AtomicU32) -> sqlx::Result<String> {
            note(session, 1).await?;
            runs.fetch_add(1, SeqCst);
            Ok(std::fs::read_to_string("/no/such/file")?)
        }

        /// sqlx makes its own error of it.
        #[tokio::test]
        async fn a_file_that_is_missing_is_no_connection_that_is_lost() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let runs = AtomicU32::new(0);
            let error = reads_a_file(&pool, &runs).await.unwrap_err();
            assert_eq!((runs.load(SeqCst), Classify::category(&error)), (1, Some(Category::Internal)), "{error:?}");
            assert_eq!(place.count("notes").await, 0);
            assert_quiet(&pool);
        }
    }
}
