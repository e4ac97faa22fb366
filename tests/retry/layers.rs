//! Layers of error enums, each around that of the layer below: none hides what the database said.

each_database! {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{db_error_handling, retry, with_session, Category, Classify, Error, Outcome, SessionError};

    type Boxed = Box<dyn std::error::Error + Send + Sync>;

    #[derive(Debug, thiserror::Error, SessionError)]
    enum RepoError {
        #[error("there is no such account")]
        NoAccount,
        #[session]
        #[error("the repository failed")]
        Db(#[source] Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum ServiceError {
        #[error(transparent)]
        Repo(#[from] RepoError),
        #[error("account {id}")]
        Account { id: i64, source: Error },
        #[error("perhaps")]
        Perhaps { #[source] cause: Option<RepoError> },
        #[error("step {0}")]
        Step(u8, #[source] sqlx::Error),
        #[error("boxed")]
        Boxed(#[source] Boxed),
        #[error("shared")]
        Shared(#[from] Arc<sqlx::Error>),
        #[error("shared by many")]
        Cloned(#[source] Arc<RepoError>),
        #[error("of no known type")]
        Erased(#[source] Arc<dyn std::error::Error + Send + Sync>),
        #[error(transparent)]
        Any(#[from] anyhow::Error),
        #[error("somebody else's")]
        Foreign(#[source] Foreign),
        #[error("an error of the files")]
        Io(#[from] std::io::Error),
        #[error("its text: {0}")]
        Told(String),
        #[error("held and not its source: {0}")]
        Kept(Error),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    #[error(transparent)]
    enum ShopError {
        Service(ServiceError),
        #[error("closed")]
        Closed,
        #[session]
        Db(Error),
    }

    /// Knows nothing of steadfast.
    #[derive(Debug, thiserror::Error)]
    #[error("foreign")]
    struct Foreign(#[source] Box<Foreigner>);

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Foreigner(RepoError);

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Layer<E: Classify> {
        #[error("one layer more")]
        Below(#[source] E),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    /// Of its parameter no more is known than that it is an error.
    #[derive(Debug, thiserror::Error, SessionError)]
    enum Opaque<E: std::error::Error> {
        #[error("one layer more")]
        Below(#[source] E),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    fn repo() -> RepoError {
        RepoError::Db(transient())
    }

    fn driver() -> sqlx::Error {
        sqlx::Error::PoolTimedOut
    }

    /// Each way in which a variant holds an error.
    fn layered() -> Vec<ServiceError> {
        vec![
            repo().into(),
            ServiceError::Account { id: 1, source: transient() },
            ServiceError::Perhaps { cause: Some(repo()) },
            ServiceError::Step(1, driver()),
            ServiceError::Boxed(repo().into()),
            ServiceError::Boxed(driver().into()),
            Arc::new(driver()).into(),
            ServiceError::Cloned(Arc::new(repo())),
            ServiceError::Erased(Arc::new(driver())),
            anyhow::Error::from(repo()).context("while paying").into(),
            ServiceError::Foreign(Foreign(Box::new(Foreigner(repo())))),
            std::io::Error::other(repo()).into(),
        ]
    }

    /// Each way in which it holds none of a database's.
    fn domain() -> Vec<ServiceError> {
        vec![
            RepoError::NoAccount.into(),
            ServiceError::Perhaps { cause: None },
            ServiceError::Boxed("refused".into()),
            anyhow::anyhow!("refused").into(),
            std::io::Error::from(std::io::ErrorKind::ConnectionReset).into(),
            ServiceError::Told(transient().to_string()),
            ServiceError::Kept(transient()),
        ]
    }

    #[test]
    fn each_layer_shows_what_is_below() {
        let deep = |error| Layer::Below(Box::new(Layer::Below(ShopError::Service(error))));
        for error in layered() {
            let how = format!("{error:?}");
            assert_eq!(error.category(), Some(Category::Capacity), "{how}");
            let told = [Some(Outcome::NotSent), None];
            assert!(told.contains(&error.outcome()), "{how}");
            let error = deep(error);
            assert_eq!(error.category(), Some(Category::Capacity), "{how}");
        }
        for error in domain() {
            let error = deep(error);
            assert_eq!((error.category(), error.outcome()), (None, None), "{error:?}");
        }
        assert_eq!(ShopError::Closed.category(), None);
    }

    #[test]
    fn a_parameter_is_looked_into_by_what_its_bounds_allow() {
        assert_eq!(Opaque::Below(repo()).category(), Some(Category::Capacity), "by its sources");
        assert_eq!(Opaque::Below(RepoError::NoAccount).category(), None);
    }

    #[with_session]
    async fn add(session: &mut Session, id: i64, failures: u32, runs: &AtomicU32) -> Result<(), RepoError> {
        let insert = sql("INSERT INTO notes (id, body) VALUES ($1, $2)");
        sqlx::query(insert).bind(id).bind(id.to_string()).execute(&mut *session).await?;
        match runs.fetch_add(1, SeqCst) < failures {
            true => Err(transient().into()),
            false => Ok(()),
        }
    }

    #[with_session]
    async fn add_twice(session: &mut Session, failures: u32, runs: &AtomicU32) -> Result<(), ServiceError> {
        add(&mut *session, 1, 0, &AtomicU32::new(0)).await?;
        add(&mut *session, 2, failures, runs).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    #[db_error_handling]
    async fn order(session: &mut Session, failures: u32, runs: &AtomicU32) -> Result<(), ShopError> {
        add_twice(session, failures, runs).await.map_err(ShopError::Service)
    }

    /// Trap 12: wrapping an error hides that it is retryable.
    #[tokio::test]
    async fn a_call_is_retried_through_its_layers() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let mut error = order(&pool, 9, &runs).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 3);
        assert_eq!((error.category(), error.outcome()), (Some(Category::Capacity), Some(Outcome::RolledBack)));
        let inner = error.session_error_mut().expect("through three enums");
        assert_eq!(inner.attempts().len(), 3);
        assert_eq!(inner.operation(), Some(concat!(module_path!(), "::add")));
        assert_eq!(place.count("notes").await, 0);

        order(&pool, 2, &runs).await.unwrap();
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!(place.notes().await, [1, 2]);

        let stats = stats(concat!(module_path!(), "::order"));
        assert_eq!(stats.retried_after(Category::Capacity), 4);
        assert_eq!(stats.failed(Category::Capacity), 1);
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn fails(session: &mut Session, error: &(dyn Fn() -> ServiceError + Sync), runs: &AtomicU32) -> Result<(), ServiceError> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Err(error())
    }

    /// Trap 14: everything is retried.
    #[tokio::test]
    async fn whatever_holds_it_is_retried_and_the_domain_is_not() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (of, attempts) in [(layered as fn() -> Vec<ServiceError>, 3), (domain, 1)] {
            for which in 0..of().len() {
                let runs = AtomicU32::new(0);
                let error = fails(&pool, &|| of().swap_remove(which), &runs).await.unwrap_err();
                assert_eq!(runs.load(SeqCst), attempts, "{error:?}");
            }
        }
    }
}
