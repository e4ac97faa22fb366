//! What a call without a transaction has committed is there: nobody around repeats it, whatever the error's type.

each_database! {
    use std::error::Error as StdError;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use steadfast::{retry, with_session, Category, Classify, Error, Outcome, SessionError};

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Layer {
        #[session]
        #[error(transparent)]
        Db(Error),
        #[error("the step {1}")]
        Step(#[source] sqlx::Error, u32),
        #[error("the other")]
        Other(#[source] anyhow::Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Outer {
        #[session]
        #[error(transparent)]
        Db(Error),
        #[error("within")]
        Within(#[from] Layer),
    }

    /// A layer that knows nothing of us: nobody can write an outcome into it.
    #[derive(Debug, thiserror::Error)]
    enum Repository {
        #[error("repository: {0}")]
        Driver(#[from] sqlx::Error),
        #[error("repository: {0}")]
        Ours(#[from] Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum OverPlain {
        #[session]
        #[error(transparent)]
        Db(Error),
        #[error(transparent)]
        Repository(#[from] Repository),
        #[error("shared")]
        Shared(#[source] Arc<dyn StdError + Send + Sync>),
    }

    /// Written by hand, and nothing can be added to what it shares.
    #[derive(Debug, Clone)]
    struct ByHand(Arc<Error>);

    impl From<Error> for ByHand {
        fn from(error: Error) -> Self {
            Self(Arc::new(error))
        }
    }

    impl Classify for ByHand {
        fn category(&self) -> Option<Category> {
            Some(Error::category(&self.0))
        }

        fn outcome(&self) -> Option<Outcome> {
            Some(Error::outcome(&self.0))
        }
    }

    /// One that can be told, and does not say what it was told.
    #[derive(Debug)]
    struct Silent(Error);

    impl From<Error> for Silent {
        fn from(error: Error) -> Self {
            Self(error)
        }
    }

    impl Classify for Silent {
        fn category(&self) -> Option<Category> {
            Some(self.0.category())
        }

        fn session_error_mut(&mut self) -> Option<&mut Error> {
            Some(&mut self.0)
        }
    }

    type Boxed = Box<dyn StdError + Send + Sync>;

    /// One note is there, and what should follow waits for somebody else's lock in vain.
    async fn half(session: &mut Session, plain: &Plain) -> sqlx::Result<()> {
        note(session, 1).await?;
        let mut holder = plain.begin().await?;
        sqlx::query("UPDATE accounts SET cents = cents WHERE id = 1").execute(&mut *holder).await?;
        let refused = pay(session, 1, 1).await;
        holder.rollback().await?;
        refused
    }

    /// A call without a transaction, and a `#[retry]` around it.
    macro_rules! around {
        ($around:ident, $inner:ident, $error:ty, $wrap:expr) => {
            #[with_session(autocommit, lock_timeout = "100ms")]
            async fn $inner(session: &mut Session, plain: &Plain) -> Result<(), $error> {
                let wrap: fn(sqlx::Error) -> $error = $wrap;
                half(session, plain).await.map_err(wrap)
            }

            #[retry(immediate, max = 3)]
            async fn $around(pool: &Pool, plain: &Plain, runs: &AtomicU32) -> Result<(), $error> {
                runs.fetch_add(1, SeqCst);
                $inner(pool, plain).await
            }
        };
    }

    around!(in_ours, ours, Error, Error::from);
    around!(in_sqlx, drivers, sqlx::Error, |error| error);
    around!(in_anyhow, any, anyhow::Error, |error| anyhow::Error::from(error).context("a").context("b"));
    around!(in_box, boxed, Boxed, |error| Box::new(error));
    around!(in_layer, layer, Layer, |error| Layer::Step(error, 2));
    around!(in_other, other, Layer, |error| Layer::Other(error.into()));
    around!(in_outer, outer, Outer, |error| Outer::Within(Layer::Step(error, 2)));
    around!(in_plain_driver, plain_driver, OverPlain, |error| Repository::Driver(error).into());
    around!(in_plain_ours, plain_ours, OverPlain, |error| Repository::Ours(error.into()).into());
    around!(in_shared, shared, OverPlain, |error| OverPlain::Shared(Arc::new(error)));
    around!(in_any_plain, any_plain, anyhow::Error, |error| Repository::Ours(error.into()).into());
    around!(in_any_shared, any_shared, anyhow::Error, |error| Arc::new(error).into());
    around!(in_hand, by_hand, ByHand, |error| Error::from(error).into());
    around!(in_box_plain, box_plain, Boxed, |error| Box::new(Repository::Driver(error)));
    around!(in_box_io, box_io, Boxed, |error| Box::new(std::io::Error::other(error)));

    #[tokio::test]
    async fn of_a_refusal_without_a_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        macro_rules! refused {
            ($around:ident) => {{
                let error = in_time($around(&pool, &place.plain, &runs)).await.unwrap_err();
                let busy = if NAME == "sqlite" { Category::Conflict } else { Category::LockTimeout };
                assert_eq!(Classify::category(&error), Some(busy), "{error:?}");
                assert_eq!(Classify::outcome(&error), Some(Outcome::Committed), "{error:?}");
                assert_eq!((runs.swap(0, SeqCst), place.notes().await), (1, vec![1]), "{}", stringify!($around));
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }};
        }
        refused!(in_ours);
        refused!(in_sqlx);
        refused!(in_anyhow);
        refused!(in_box);
        refused!(in_layer);
        refused!(in_other);
        refused!(in_outer);
        refused!(in_plain_driver);
        refused!(in_plain_ours);
        refused!(in_shared);
        refused!(in_any_plain);
        refused!(in_any_shared);
        refused!(in_hand);
        refused!(in_box_plain);
        refused!(in_box_io);
    }

    #[with_session(autocommit)]
    async fn twice(session: &mut Session) -> sqlx::Result<()> {
        note(session, 1).await?;
        note(session, 1).await
    }

    #[retry(immediate, max = 3, on(unique))]
    async fn widened(pool: &Pool, runs: &AtomicU32) -> sqlx::Result<()> {
        runs.fetch_add(1, SeqCst);
        twice(pool).await
    }

    /// Whatever a policy is meant for.
    #[tokio::test]
    async fn of_an_error_that_only_a_policy_repeats() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = widened(&pool, &runs).await.unwrap_err();
        assert_eq!((Classify::outcome(&error), runs.load(SeqCst)), (Some(Outcome::Committed), 1), "{error:?}");
        let error = Error::from(error);
        assert!(error.as_sqlx().is_some_and(|error| error.as_database_error().is_some()), "{error:?}");
        assert_eq!(place.notes().await, [1]);
    }

    #[with_session(autocommit)]
    async fn find(session: &mut Session) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT id FROM notes WHERE id = 7").fetch_one(&mut *session).await?)
    }

    /// Nor does a search that finds nothing become another error.
    #[tokio::test]
    async fn unlike_that_nothing_was_found() {
        let place = Place::new().await;
        let error = find(&place.pool(1).await).await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(sqlx::Error::RowNotFound)), "{error:?}");
    }

    #[with_session]
    async fn undone(session: &mut Session) -> sqlx::Result<()> {
        note(session, 1).await?;
        note(session, 1).await
    }

    /// What is undone keeps the driver's own type, and so does what was never done.
    #[tokio::test]
    async fn unlike_what_is_not_there() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = undone(&pool).await.unwrap_err();
        assert!(matches!(&error, sqlx::Error::Database(answer) if answer.is_unique_violation()), "{error:?}");
        assert!(place.notes().await.is_empty());
        sqlx::query("INSERT INTO notes VALUES (1, 'there')").execute(&pool).await.unwrap();
        let error = twice(&pool).await.unwrap_err();
        assert!(matches!(&error, sqlx::Error::Database(answer) if answer.is_unique_violation()), "{error:?}");
    }

    #[with_session]
    async fn order<E: From<Error> + Classify>(session: &mut Session, pool: &Pool, plain: &Plain, wrap: fn(Error) -> E) -> Result<(), E> {
        pay(session, 2, 1).await.map_err(Error::from)?;
        ours(pool, plain).await.map_err(wrap)
    }

    /// Nor does what another session has committed look as if it were the work of this one, which is undone.
    #[tokio::test]
    async fn by_another_session_it_is_not_this_ones() {
        let place = Place::new().await;
        let elsewhere = Place::new().await;
        let (pool, other) = (place.pool(1).await, elsewhere.pool(1).await);
        macro_rules! undone {
            ($wrap:expr) => {{
                let error = in_time(order(&pool, &other, &elsewhere.plain, $wrap)).await.unwrap_err();
                assert_eq!(Classify::outcome(&error), Some(Outcome::Unknown), "{error:?}");
                assert_eq!((place.cents(2).await, elsewhere.notes().await), (1000, vec![1]), "{error:?}");
                sqlx::query("DELETE FROM notes").execute(&elsewhere.plain).await.unwrap();
            }};
        }
        undone!(|error| error);
        undone!(|error| OverPlain::from(Repository::Ours(error)));
        undone!(|error| anyhow::Error::from(Repository::Ours(error)).context("an order"));
        undone!(|error| OverPlain::Shared(Arc::new(error)));
        undone!(ByHand::from);
        let Silent(error) = in_time(order(&pool, &other, &elsewhere.plain, Silent)).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
    }

    /// What an error is replaced by, because nothing can be added to it, says all that it said.
    #[tokio::test]
    async fn a_stand_in_says_no_less() {
        let place = Place::new().await;
        let elsewhere = Place::new().await;
        let (pool, other) = (place.pool(1).await, elsewhere.pool(1).await);
        let direct = order(&pool, &other, &elsewhere.plain, |error| error).await.unwrap_err();
        sqlx::query("DELETE FROM notes").execute(&elsewhere.plain).await.unwrap();
        let OverPlain::Db(layered) = order(&pool, &other, &elsewhere.plain, |error| Repository::Ours(error).into()).await.unwrap_err()
        else {
            panic!("it was told");
        };
        assert!(layered.operation().is_some_and(|name| name.ends_with("::ours")), "{layered:?}");
        assert_eq!((direct.operation(), direct.code(), direct.phase()), (layered.operation(), layered.code(), layered.phase()));
        assert_eq!(direct.to_string(), layered.to_string());
    }

    #[with_session(autocommit, lock_timeout = "100ms")]
    #[retry(immediate, max = 2, idempotent)]
    async fn once_there(session: &mut Session, plain: &Plain) -> Result<(), OverPlain> {
        if session.attempt() == 1 {
            half(session, plain).await.map_err(Repository::Driver)?;
        }
        sqlx::query("SELECT nothing").execute(session).await.map_err(Repository::Driver)?;
        Ok(())
    }

    /// What an earlier attempt has committed is there, whatever became of the last one.
    #[tokio::test]
    async fn by_an_earlier_attempt() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = in_time(once_there(&pool, &place.plain)).await.unwrap_err();
        assert_eq!(Classify::category(&error), Some(Category::Programming), "{error:?}");
        assert_eq!((Classify::outcome(&error), place.notes().await), (Some(Outcome::Committed), vec![1]), "{error:?}");
        assert!(matches!(&error, OverPlain::Db(error) if error.operation().is_some()), "{error:?}");
        let stats = support::stats(&format!("{NAME}::once_there"));
        assert_eq!((stats.committed, stats.rolled_back), (1, 0), "{stats:?}");
    }

    #[with_session(autocommit)]
    #[retry(immediate, max = 2, idempotent, on(not_found))]
    async fn searches(session: &mut Session) -> sqlx::Result<()> {
        note(session, 1).await?;
        sqlx::query_scalar::<_, i64>("SELECT id FROM notes WHERE id = 7").fetch_one(session).await?;
        Ok(())
    }

    /// Also where the earlier attempt's error could bear nothing of it.
    #[tokio::test]
    async fn by_an_earlier_attempt_that_found_nothing() {
        let place = Place::new().await;
        let error = searches(&place.pool(1).await).await.unwrap_err();
        assert_eq!((Classify::outcome(&error), place.notes().await), (Some(Outcome::Committed), vec![1]), "{error:?}");
    }
}
