//! An error in doubt inside an enum inside another: told, and one attempt.

each_server! {
    use std::sync::atomic::{AtomicU32, Ordering};
    use steadfast::{Category, Classify, Error, Outcome, SessionError, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    type Boxed = Box<dyn std::error::Error + Send + Sync>;

    #[derive(Debug, thiserror::Error, SessionError)]
    enum RepoError {
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum ServiceError {
        #[error(transparent)]
        Repo(#[from] RepoError),
        #[error("named")]
        Named { source: RepoError },
        #[error("boxed")]
        Boxed(#[source] Boxed),
        #[error(transparent)]
        Any(#[from] anyhow::Error),
        #[error("in the driver's")]
        Driver(#[source] sqlx::Error),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum ShopError {
        #[error("the service failed")]
        Service(#[source] ServiceError),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Layer<E: Classify> {
        #[error("one layer more")]
        Below(#[source] E),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[with_session]
    async fn pay(session: &mut Session, runs: &AtomicU32) -> Result<(), RepoError> {
        runs.fetch_add(1, Ordering::Relaxed);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    // A session of its own inside, whose error the outer function puts into one of its layer.
    macro_rules! around {
        ($($name:ident: $error:ty, $wrap:expr),* $(,)?) => { $(
            #[retry(immediate, max = 3)]
            async fn $name(pool: &Pool, runs: &AtomicU32) -> Result<(), $error> {
                let wrap: fn(RepoError) -> $error = $wrap;
                pay(pool, runs).await.map_err(wrap)
            }
        )* };
    }

    fn ours(error: RepoError) -> Error {
        let RepoError::Db(error) = error;
        error
    }

    around! {
        repo: ServiceError, |error| error.into(),
        named: ServiceError, |error| ServiceError::Named { source: error },
        boxed: ServiceError, |error| ServiceError::Boxed(error.into()),
        any: ServiceError, |error| anyhow::Error::from(error).context("while paying").into(),
        driver: ServiceError, |error| ServiceError::Driver(ours(error).into()),
        shop: ShopError, |error| ShopError::Service(error.into()),
        generic: Layer<Box<Layer<ShopError>>>, |error| Layer::Below(Box::new(Layer::Below(ShopError::Service(error.into())))),
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn outer(session: &mut Session, pool: &Pool, runs: &AtomicU32) -> Result<(), ServiceError> {
        sqlx::query("SELECT 1").execute(session).await?;
        pay(pool, runs).await?;
        Ok(())
    }

    async fn beside(pool: &Pool, runs: &AtomicU32) -> Result<(), ServiceError> {
        outer(pool, pool, runs).await
    }

    /// Trap 12: wrapping an error hides that it is retryable.
    #[tokio::test]
    async fn doubt_is_seen_through_every_layer() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        let runs = AtomicU32::new(0);
        let mut fired = 0;
        macro_rules! check {
            ($($name:ident),*) => { $(
                proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
                runs.store(0, Ordering::Relaxed);
                let error = $name(&pool, &runs).await.unwrap_err();
                fired += 1;
                let how = stringify!($name);
                assert_eq!((error.category(), error.outcome()), (Some(Category::CommitUnknown), Some(Outcome::Unknown)), "{how}");
                assert_eq!((runs.load(Ordering::Relaxed), proxy.fired()), (1, fired), "{how}");
                assert_eq!(place.count("notes").await, 1, "{how}");
                sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
            )* };
        }
        check!(repo, named, boxed, any, driver, shop, generic, beside);
    }

    /// Knows nothing of us: nothing can be written into it.
    #[derive(Debug, thiserror::Error)]
    #[error("repository")]
    struct Foreign(#[source] sqlx::Error);

    #[derive(Debug, thiserror::Error, SessionError)]
    enum OverForeign {
        #[error(transparent)]
        Foreign(#[from] Foreign),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[with_session]
    #[retry(immediate, max = 3, idempotent)]
    async fn then_refused(session: &mut Session) -> Result<(), OverForeign> {
        if session.attempt() > 1 {
            sqlx::query("SELECT nothing").execute(session).await.map_err(Foreign)?;
        } else {
            note(session, 1).await.map_err(Error::from)?;
        }
        Ok(())
    }

    /// What an earlier attempt may have left is told whatever the last one answered.
    #[tokio::test]
    async fn doubt_of_an_earlier_attempt_is_seen_too() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        let error = then_refused(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Some(Category::Programming), Some(Outcome::Unknown)), "{error:?}");
        assert_eq!((place.count("notes").await, proxy.fired()), (1, 1));
    }
}
