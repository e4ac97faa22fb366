//! The server goes away. Each test has a server of its own to kill, or a proxy to cut.

each_server! {
    use std::sync::Arc;
    use steadfast::{with_session, Category, Error, Outcome, Phase};
    use support::private::{self, Server};
    use tokio::task::spawn_blocking;
    use xtask::proxy::{Fault, Proxy};

    async fn kill(server: &Arc<Server<Db>>) {
        let server = Arc::clone(server);
        spawn_blocking(move || server.kill().unwrap()).await.unwrap();
    }

    async fn restart(server: &Arc<Server<Db>>) {
        let server = Arc::clone(server);
        spawn_blocking(move || server.restart().unwrap()).await.unwrap();
    }

    /// The plain pool's connections are dead as well.
    async fn notes(server: &Server<Db>, place: &Place) -> i64 {
        use sqlx::Connection as _;

        let url = match NAME {
            "postgres" => format!("{}?options[search_path]={}", server.url(), place.name),
            _ => place.url.clone(),
        };
        let mut connection = Connection::connect(&url).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(&mut connection).await.unwrap()
    }

    #[with_session]
    async fn loses(session: &mut Session, id: i64, server: Option<&Arc<Server<Db>>>) -> Result<(), Error> {
        note(session, id).await?;
        if let Some(server) = server {
            kill(server).await;
            let error = note(session, id + 1).await.unwrap_err();
            let error = Error::from(error);
            let said = error.as_sqlx();
            assert!(matches!(said, Some(sqlx::Error::Io(_) | sqlx::Error::Database(_))), "the driver's own: {error:?}");
            return Err(error);
        }
        Ok(())
    }

    #[with_session]
    async fn shrugs(session: &mut Session, server: &Arc<Server<Db>>) -> Result<(), Error> {
        note(session, 7).await?;
        kill(server).await;
        let _ = note(session, 8).await;
        Ok(())
    }

    #[tokio::test]
    async fn in_the_body_and_the_pool_recovers() {
        let server = Arc::new(private::start::<Db>().await);
        let place = Place::on(&server.url()).await;
        let pool = place.pool(2).await;
        let error = loses(&pool, 1, Some(&server)).await.unwrap_err();
        assert_eq!(error.category(), Category::Connection, "{error}");
        assert_ne!(error.outcome(), Outcome::Unknown, "COMMIT was never sent");
        assert!(error.is_retryable(), "{error:?}");
        assert_quiet(&pool);
        restart(&server).await;
        assert_eq!(notes(&server, &place).await, 0);
        in_time(loses(&pool, 1, None)).await.unwrap();
        assert_eq!(notes(&server, &place).await, 1);
        let lost = stats(concat!(module_path!(), "::loses"));
        assert_eq!((lost.failed(Category::Connection), lost.committed, lost.unknown), (1, 1, 0), "{lost:?}");

        // The same, swallowed: a session that lost its server cannot commit.
        let error = shrugs(&pool, &server).await.unwrap_err();
        assert_eq!(error.category(), Category::Connection, "{error}");
        assert_ne!(error.outcome(), Outcome::Unknown);
        assert_quiet(&pool);
        restart(&server).await;
        assert_eq!(notes(&server, &place).await, 1);

        // And one whose owner goes with the server.
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 9).await.unwrap();
        kill(&server).await;
        drop(session);
        quiet(&pool).await;
    }

    #[with_session]
    async fn commits(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[tokio::test]
    async fn killed_during_commit_the_outcome_is_unknown() {
        let server = Arc::new(private::start::<Db>().await);
        let place = Place::on(&server.url()).await;
        let proxy = Arc::new(Proxy::before(&place.url).unwrap());
        let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        let error = {
            let call = std::pin::pin!(commits(&pool, 1));
            let killer = async {
                eventually("COMMIT is on its way", || async { proxy.fired() == 1 }).await;
                kill(&server).await;
                proxy.resume();
            };
            let (result, ()) = tokio::join!(call, killer);
            result.unwrap_err()
        };
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert_eq!(error.phase(), Phase::Commit);
        assert!(!error.is_retryable());
        assert_quiet(&pool);
        restart(&server).await;
        assert_eq!(notes(&server, &place).await, 0);
        commits(&pool, 2).await.unwrap();
        let committed = stats(concat!(module_path!(), "::commits"));
        assert_eq!((committed.unknown, committed.committed, committed.retried), (1, 1, 0), "{committed:?}");
    }

    #[with_session]
    #[steadfast::retry(immediate, max = 5)]
    async fn insists(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    /// The answer is lost after the server has done it, or the question before: nobody can tell, so nobody retries.
    #[tokio::test]
    async fn cut_during_commit_is_never_retried() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        for (id, fault, kept) in [(1, Fault::CutAnswer, 1), (2, Fault::CutBefore, 1)] {
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let error = insists(&pool, id).await.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
            assert_quiet(&pool);
            place.has_open(0).await;
            assert_eq!(place.count("notes").await, kept, "{fault:?}");
        }
        assert_eq!(proxy.fired(), 2);
        insists(&pool, 3).await.unwrap();
        let insisted = stats(concat!(module_path!(), "::insists"));
        assert_eq!((insisted.unknown, insisted.retried, insisted.committed), (2, 0, 1), "{insisted:?}");
    }

    /// In the body it is certain that nothing was kept, and the next attempt has another connection.
    #[tokio::test]
    async fn cut_in_the_body_is_retried() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        for (id, fault) in [(1, Fault::CutBefore), (2, Fault::CutAnswer)] {
            proxy.on(|sent| sent.runs("INSERT"), fault);
            retries(&pool, id).await.unwrap();
            assert_quiet(&pool);
            assert_eq!(place.count("notes").await, id);
        }
        assert_eq!(proxy.fired(), 2);
        let retried = stats(concat!(module_path!(), "::retries"));
        assert_eq!((retried.committed, retried.retried_after(Category::Connection)), (2, 2), "{retried:?}");
    }

    #[with_session]
    #[steadfast::retry(immediate, max = 3)]
    async fn retries(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }
}
