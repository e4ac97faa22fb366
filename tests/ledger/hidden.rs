//! What the ledger cannot know: work that something in the session has committed behind our back.

each_server! {
    use std::sync::atomic::{AtomicU64, Ordering};
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    async fn set_up() -> (Place, Proxy, Pool) {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)").execute(&place.plain).await.unwrap();
        for (name, what) in [("keeps", "COMMIT"), ("undoes", "ROLLBACK"), ("behaves", "INSERT INTO entries VALUES (7)")] {
            let text = match NAME {
                "mysql" => format!("CREATE PROCEDURE {name}() {what}"),
                // A procedure that ends the transaction is refused by PostgreSQL itself.
                _ => format!("CREATE PROCEDURE {name}() LANGUAGE sql AS $$ INSERT INTO entries VALUES (7) $$"),
            };
            sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&place.plain).await.unwrap();
        }
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(2).connect().await.unwrap();
        pool.install().await.unwrap();
        (place, proxy, pool)
    }

    async fn enter(session: &mut Session, id: i64) -> Result<(), sqlx::Error> {
        sqlx::query(sql("INSERT INTO entries (id) VALUES ($1)")).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn calls(session: &mut Session, procedure: &str, runs: &AtomicU64) -> Result<(), Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        enter(session, 1).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CALL {procedure}()"))).execute(&mut *session).await?;
        enter(session, 2).await?;
        Ok(())
    }

    /// On MySQL a procedure may commit, and no answer would have told.
    #[tokio::test]
    async fn a_procedure_that_ends_the_transaction_leaves_it_unknown() {
        if NAME == "postgres" {
            return;
        }
        for procedure in ["keeps", "undoes"] {
            for fault in [None, Some(Fault::CutAnswer), Some(Fault::CutBefore)] {
                let (place, proxy, pool) = set_up().await;
                if let Some(fault) = fault {
                    proxy.on(|sent| sent.runs("COMMIT"), fault);
                }
                let runs = AtomicU64::new(0);
                let error = calls(&pool, procedure, &runs).await.unwrap_err();
                assert_eq!(error.outcome(), Outcome::Unknown, "{procedure}, {fault:?}: {error}");
                assert_eq!(runs.load(Ordering::Relaxed), 1, "{procedure}, {fault:?}: a part of it may be there");
                assert_eq!(proxy.fired(), u64::from(fault.is_some()));
                assert_ne!(place.count("entries").await, 0, "{procedure}, {fault:?}");
                match error.resolve(&pool).await {
                    Ok(outcome) => assert_eq!(outcome, Outcome::Unknown, "{procedure}, {fault:?}"),
                    Err(refused) => assert_eq!(refused.category(), Category::Programming, "{refused}"),
                }
            }
        }
    }

    /// One that behaves is found where it was committed; where it was not, nobody can prove that on MySQL.
    #[tokio::test]
    async fn a_procedure_that_behaves_is_found_committed() {
        let (place, proxy, pool) = set_up().await;
        let runs = AtomicU64::new(0);
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        calls(&pool, "behaves", &runs).await.unwrap();
        assert_eq!((runs.load(Ordering::Relaxed), place.count("entries").await), (1, 3));
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutBefore);
        let again = calls(&pool, "behaves", &runs).await;
        if NAME == "mysql" {
            assert_eq!(again.unwrap_err().outcome(), Outcome::Unknown);
            assert_eq!((runs.load(Ordering::Relaxed), place.count("entries").await), (2, 3));
        } else {
            again.unwrap();
            assert_eq!((runs.load(Ordering::Relaxed), place.count("entries").await), (3, 6));
        }
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn lends(session: &mut Session, commits: bool, runs: &AtomicU64) -> Result<(), Error> {
        runs.fetch_add(1, Ordering::Relaxed);
        let connection = session.raw().await?;
        sqlx::raw_sql("INSERT INTO entries VALUES (1)").execute(&mut *connection).await?;
        if commits {
            sqlx::raw_sql("COMMIT; BEGIN").execute(&mut *connection).await?;
        }
        sqlx::raw_sql("INSERT INTO entries VALUES (2)").execute(&mut *connection).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_lent_connection_that_committed_leaves_it_unknown() {
        for fault in [None, Some(Fault::CutAnswer), Some(Fault::CutBefore)] {
            let (place, proxy, pool) = set_up().await;
            if let Some(fault) = fault {
                proxy.on(|sent| sent.runs("steadfast_ledger") && sent.runs("COMMIT"), fault);
            }
            let runs = AtomicU64::new(0);
            let error = lends(&pool, true, &runs).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{fault:?}: {error}");
            assert_eq!(runs.load(Ordering::Relaxed), 1, "{fault:?}: a part of it is there");
            // On PostgreSQL it is found behind the loan, and no COMMIT is sent.
            assert_eq!(proxy.fired(), u64::from(fault.is_some() && NAME != "postgres"));
            assert_ne!(place.count("entries").await, 0);
        }
    }

    #[tokio::test]
    async fn a_lent_connection_that_behaved_is_found_committed() {
        let (place, proxy, pool) = set_up().await;
        let runs = AtomicU64::new(0);
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        lends(&pool, false, &runs).await.unwrap();
        assert_eq!((runs.load(Ordering::Relaxed), place.count("entries").await), (1, 2));
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn loses_its_connection(session: &mut Session, procedure: bool, proxy: &Proxy, runs: &AtomicU64) -> Result<(), Error> {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        enter(session, 1).await?;
        if procedure {
            sqlx::raw_sql("CALL keeps()").execute(&mut *session).await?;
        }
        if run == 0 {
            assert!(proxy.cut() > 0);
        }
        enter(session, 2).await?;
        Ok(())
    }

    /// COMMIT was never sent: there is no token to ask for, and without a procedure no doubt either.
    #[tokio::test]
    async fn a_connection_lost_ahead_of_commit_asks_nobody() {
        let (place, proxy, pool) = set_up().await;
        let runs = AtomicU64::new(0);
        loses_its_connection(&pool, false, &proxy, &runs).await.unwrap();
        assert_eq!((runs.load(Ordering::Relaxed), place.count("entries").await), (2, 2));
        assert_eq!(place.count("steadfast_ledger").await, 1, "no fence was written");
        if NAME == "mysql" {
            let runs = AtomicU64::new(0);
            let error = loses_its_connection(&pool, true, &proxy, &runs).await.unwrap_err();
            assert_eq!((error.outcome(), runs.load(Ordering::Relaxed)), (Outcome::Unknown, 1), "{error}");
            assert_eq!(error.resolve(&pool).await.unwrap_err().category(), Category::Programming);
            assert_eq!(place.count("steadfast_ledger").await, 1);
        }
    }
}
