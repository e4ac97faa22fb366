//! A connection is lost: before COMMIT that is retried, and what may have been committed never is.

each_server! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{retry, with_session, Category, Classify, Error, Integrity, Outcome, RetryPolicy, SessionError};
    use xtask::proxy::{Fault, Proxy};

    /// Asks for what the attribute's own words refuse to ask for.
    const EAGER: RetryPolicy = RetryPolicy::immediate()
        .max(3)
        .also(Category::Connection)
        .also(Category::CommitUnknown)
        .also(Category::Integrity(Integrity::Unique));

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Derived {
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    async fn insert(session: &mut Session, runs: &AtomicU32) -> Result<(), sqlx::Error> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("INSERT INTO notes VALUES (1, 'in doubt')").execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(policy = EAGER)]
    async fn plainly(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        Ok(insert(session, runs).await?)
    }

    #[with_session]
    #[retry(policy = EAGER)]
    async fn derived(session: &mut Session, runs: &AtomicU32) -> Result<(), Derived> {
        Ok(insert(session, runs).await?)
    }

    #[with_session]
    #[retry(policy = EAGER)]
    async fn in_anyhow(session: &mut Session, runs: &AtomicU32) -> anyhow::Result<()> {
        Ok(insert(session, runs).await?)
    }

    #[with_session]
    #[retry(policy = EAGER)]
    async fn in_sqlx(session: &mut Session, runs: &AtomicU32) -> sqlx::Result<()> {
        insert(session, runs).await
    }

    /// Calls another one on the pool: what that one committed is not undone with this one.
    #[with_session]
    #[retry(policy = EAGER)]
    async fn beside(session: &mut Session, other: &Pool, runs: &AtomicU32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        in_anyhow(other, runs).await.map_err(|error| error.context("beside"))?;
        Ok(())
    }

    /// Trap 8: a commit in doubt is treated as transient.
    #[tokio::test]
    async fn an_unknown_outcome_is_never_retried() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::connect(proxy.url()).await.unwrap();
        let direct = place.pool(1).await;
        let runs = AtomicU32::new(0);
        macro_rules! in_doubt {
            ($call:expr) => {{
                proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
                let (result, ()) = tokio::join!($call, async {
                    eventually("the server has committed", || async { place.count("notes").await == 1 }).await;
                    assert!(proxy.cut() > 0);
                });
                let error = result.unwrap_err();
                assert_eq!(Classify::outcome(&error), Some(Outcome::Unknown), "{error:?}");
                assert_eq!(Classify::category(&error), Some(Category::CommitUnknown), "{error:?}");
                assert_eq!(runs.swap(0, SeqCst), 1, "{}", stringify!($call));
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }};
        }
        in_doubt!(async { plainly(&pool, &runs).await });
        in_doubt!(async { derived(&pool, &runs).await });
        in_doubt!(async { in_anyhow(&pool, &runs).await });
        in_doubt!(async { in_sqlx(&pool, &runs).await });
        in_doubt!(async { beside(&direct, &pool, &runs).await });
    }

    #[with_session]
    #[retry]
    async fn cut_in_the_body(session: &mut Session, proxy: &Proxy) -> Result<u32, Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'once')").execute(&mut *session).await?;
        if session.attempt() == 1 {
            assert!(proxy.cut() > 0);
        }
        sqlx::query("INSERT INTO notes VALUES (2, 'twice')").execute(&mut *session).await?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn a_connection_lost_before_commit_is_retried() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::connect(proxy.url()).await.unwrap();
        assert_eq!(cut_in_the_body(&pool, &proxy).await.unwrap(), 2);
        assert_eq!(place.count("notes").await, 2);
        assert_eq!(stats(concat!(module_path!(), "::cut_in_the_body")).retried_after(Category::Connection), 1);
    }

    #[retry(immediate, max = 3)]
    async fn lone_statement(pool: &Pool, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("INSERT INTO notes VALUES (1, 'alone')").execute(pool).await?;
        Ok(())
    }

    /// Trap 11: the driver sends a statement again by itself.
    #[tokio::test]
    async fn a_statement_on_the_pool_that_may_have_run_is_not_retried() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::connect(proxy.url()).await.unwrap();
        proxy.on(|sent| sent.runs("alone"), Fault::CutAnswer);
        let runs = AtomicU32::new(0);
        let error = lone_statement(&pool, &runs).await.unwrap_err();
        assert_eq!((proxy.fired(), runs.load(SeqCst)), (1, 1));
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown));
        eventually("the statement has run", || async { place.count("notes").await == 1 }).await;
    }

    /// The server that is killed and started again.
    type Server = std::sync::Arc<private::Server<Db>>;

    #[with_session]
    #[retry(max = 10)]
    async fn through_a_restart(session: &mut Session, server: Server) -> Result<u32, Error> {
        sqlx::query("INSERT INTO things VALUES (1)").execute(&mut *session).await?;
        if session.attempt() == 1 {
            tokio::task::spawn_blocking(move || {
                server.kill().unwrap();
                server.restart().unwrap();
            }).await.unwrap();
        }
        sqlx::query("INSERT INTO things VALUES (2)").execute(&mut *session).await?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn a_call_outlives_its_server() {
        let server = std::sync::Arc::new(private::start::<Db>().await);
        let pool = Pool::connect(server.url()).await.unwrap();
        sqlx::raw_sql("CREATE TABLE things (id BIGINT PRIMARY KEY)").execute(&pool).await.unwrap();
        let attempts = through_a_restart(&pool, server.clone()).await.unwrap();
        assert!(attempts > 1, "the first attempt lost its server");
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(&pool).await.unwrap();
        assert_eq!(count, 2);
        let stats = stats(concat!(module_path!(), "::through_a_restart"));
        assert_eq!((stats.committed, stats.unknown), (1, 0));
        assert!(stats.retried_after(Category::Connection) >= 1);
    }
}
