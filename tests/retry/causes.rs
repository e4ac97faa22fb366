//! After what there is another attempt, however it is wrapped.

each_database! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{retry, with_session, Category, Classify, Error, Integrity, RetryPolicy, SessionError};

    async fn note(session: &mut Session, id: i64, body: &str) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(body).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 4, on(unique))]
    async fn until_free(session: &mut Session, runs: &AtomicU32, plain: &Plain) -> Result<(), Error> {
        let run = runs.fetch_add(1, SeqCst) + 1;
        if run == 3 {
            sqlx::query("DELETE FROM notes").execute(plain).await?;
        }
        note(session, 2, "taken").await
    }

    #[with_session]
    #[retry(immediate, max = 4)]
    async fn not_on_unique(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 2, "taken").await
    }

    /// Trap 14: everything is retried.
    #[tokio::test]
    async fn on_widens_what_is_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        sqlx::query("INSERT INTO notes VALUES (1, 'taken')").execute(&place.plain).await.unwrap();
        let runs = AtomicU32::new(0);
        let error = not_on_unique(&pool, &runs).await.unwrap_err();
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        assert_eq!(runs.swap(0, SeqCst), 1);
        assert!(error.attempts().is_empty(), "nothing was retried: {error:?}");

        // SQLite has one writer at a time: the plain one must not come from inside the session.
        if NAME == "sqlite" {
            let widened = RetryPolicy::immediate().max(4).also(Category::Integrity(Integrity::Unique));
            let error = with_policy(&pool, widened, &runs, "taken").await.unwrap_err();
            assert_eq!((runs.load(SeqCst), error.attempts().len()), (4, 4));
            return;
        }
        until_free(&pool, &runs, &place.plain).await.unwrap();
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!(place.count("notes").await, 1);
    }

    #[with_session]
    #[retry(policy = policy)]
    async fn with_policy(session: &mut Session, policy: RetryPolicy, runs: &AtomicU32, body: &str) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 3, body).await?;
        Err(transient())
    }

    #[tokio::test]
    async fn a_policy_may_be_made_at_run_time() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for max in [1, 2, 5] {
            let runs = AtomicU32::new(0);
            let policy = RetryPolicy::immediate().max(max);
            with_policy(&pool, policy, &runs, "free").await.unwrap_err();
            assert_eq!(runs.load(SeqCst), max);
        }
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Derived {
        #[error("the domain says no")]
        No,
        #[session]
        #[error("wrapped")]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent(#[from] Error);

    type Boxed = Box<dyn std::error::Error + Send + Sync>;

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn derived(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Derived> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(Derived::No) } else { Err(transient().into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_anyhow(session: &mut Session, domain: bool, runs: &AtomicU32) -> anyhow::Result<()> {
        use anyhow::Context as _;
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await.context("the query")?;
        if domain { anyhow::bail!("the domain says no") }
        Err(transient()).context("one").context("two")
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_box(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Boxed> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err("the domain says no".into()) } else { Err(transient().into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn wrapped_in_box(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Boxed> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(Derived::No.into()) } else { Err(Transparent(transient()).into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_sqlx(session: &mut Session, domain: bool, runs: &AtomicU32) -> sqlx::Result<()> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(sqlx::Error::RowNotFound) } else { Err(sqlx::Error::PoolTimedOut) }
    }

    /// Trap 12: wrapping an error hides that it is retryable.
    /// Trap 14: everything is retried.
    #[tokio::test]
    async fn a_wrapped_error_stays_retryable_and_a_domain_error_is_none() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        macro_rules! runs {
            ($function:ident) => {{
                let runs = AtomicU32::new(0);
                let error = $function(&pool, false, &runs).await.unwrap_err();
                assert_eq!(Classify::category(&error), Some(Category::Capacity), stringify!($function));
                let retried = runs.swap(0, SeqCst);
                $function(&pool, true, &runs).await.unwrap_err();
                assert_eq!((retried, runs.load(SeqCst)), (3, 1), stringify!($function));
                error
            }};
        }
        let Derived::Db(error) = runs!(derived) else { panic!("a database error") };
        assert_eq!(error.attempts().len(), 3);
        let error = runs!(in_anyhow);
        assert_eq!(error.downcast_ref::<Error>().unwrap().attempts().len(), 3);
        let error = runs!(in_box);
        assert_eq!(error.downcast_ref::<Error>().unwrap().attempts().len(), 3);
        runs!(wrapped_in_box);
        let error = runs!(in_sqlx);
        assert!(matches!(error, sqlx::Error::PoolTimedOut), "the variant is kept: {error:?}");
    }

    #[retry(fixed, base = "1ms", max = 4)]
    async fn alone(runs: &AtomicU32, failures: u32, error: fn() -> sqlx::Error) -> sqlx::Result<u32> {
        let run = runs.fetch_add(1, SeqCst) + 1;
        if run <= failures { Err(error()) } else { Ok(run) }
    }

    #[tokio::test]
    async fn retry_works_on_a_function_without_a_session() {
        let runs = AtomicU32::new(0);
        assert_eq!(alone(&runs, 2, || sqlx::Error::PoolTimedOut).await.unwrap(), 3);
        runs.store(0, SeqCst);
        alone(&runs, 9, || sqlx::Error::PoolTimedOut).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 4);
        alone(&runs, 9, || sqlx::Error::RowNotFound).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 1, "that will be the same next time");
        // Nobody vouches for what a lost connection has done.
        alone(&runs, 9, || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 1);
    }
}
