//! However an error in doubt is wrapped: one attempt.

each_server! {
    use std::error::Error as StdError;
    use std::sync::atomic::{AtomicU32, Ordering};
    use steadfast::{Classify, Error, Outcome, SessionError, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Transparent {
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Told {
        #[session]
        #[error("the transfer failed")]
        Db(#[source] Error),
    }

    /// Twice transparent: the outer shows nothing of the inner.
    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Twice(#[from] Transparent);

    type Boxed = Box<dyn StdError + Send + Sync>;

    macro_rules! managed {
        ($($name:ident: $error:ty),* $(,)?) => { $(
            #[with_session]
            #[retry(immediate, max = 3)]
            async fn $name(session: &mut Session, runs: &AtomicU32) -> Result<(), $error> {
                runs.fetch_add(1, Ordering::Relaxed);
                note(session, i64::from(session.attempt())).await?;
                Ok(())
            }
        )* };
    }

    managed! { bare: Error, transparent: Transparent, told: Told, in_sqlx: sqlx::Error, in_anyhow: anyhow::Error, boxed: Boxed }

    #[with_session]
    async fn inner(session: &mut Session) -> Result<(), Transparent> {
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    // Alone, around a function with a session of its own.
    macro_rules! around {
        ($($name:ident: $error:ty, $wrap:expr),* $(,)?) => { $(
            #[retry(immediate, max = 3)]
            async fn $name(pool: &Pool, runs: &AtomicU32) -> Result<(), $error> {
                runs.fetch_add(1, Ordering::Relaxed);
                let wrap: fn(Transparent) -> $error = $wrap;
                inner(pool).await.map_err(wrap)
            }
        )* };
    }

    around! {
        alone: Transparent, |error| error,
        alone_in_anyhow: anyhow::Error, |error| anyhow::Error::from(error).context("while paying").context("in the shop"),
        alone_boxed: Boxed, |error| Box::new(Twice::from(error)),
        alone_twice_in_anyhow: anyhow::Error, |error| anyhow::Error::from(Twice::from(error)),
    }

    /// Trap 12: wrapping an error hides that it is retryable.
    #[tokio::test]
    async fn however_it_is_wrapped_there_is_one_attempt() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
        let runs = AtomicU32::new(0);
        let mut fired = 0;
        macro_rules! check {
            ($($name:ident),*) => { $(
                for fault in [Fault::CutAnswer, Fault::CutBefore] {
                    proxy.on(|sent| sent.runs("COMMIT"), fault);
                    runs.store(0, Ordering::Relaxed);
                    let error = $name(&pool, &runs).await.unwrap_err();
                    fired += 1;
                    let how = stringify!($name);
                    assert_eq!(Classify::outcome(&error), Some(Outcome::Unknown), "{how}: {error}");
                    assert_eq!(runs.load(Ordering::Relaxed), 1, "{how}, {fault:?}: {error}");
                    assert_eq!(proxy.fired(), fired);
                    let rows = place.count("notes").await;
                    assert_eq!(rows, i64::from(fault == Fault::CutAnswer), "{how}");
                    sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
                }
            )* };
        }
        check!(bare, transparent, told, in_sqlx, in_anyhow, boxed, alone, alone_in_anyhow, alone_boxed, alone_twice_in_anyhow);
        println!("{NAME:9} | {fired} answers lost in 10 wrappings | {fired} attempts");
    }
}
