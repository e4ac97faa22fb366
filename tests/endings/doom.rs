//! The body swallows an error that leaves nothing to commit.

each_database! {
    use steadfast::{with_session, Category, Error, Integrity, Outcome, Phase};

    async fn note(session: &mut Session, id: i64, body: &str) -> Result<(), sqlx::Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(body).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn swallows(session: &mut Session) -> Result<(), Error> {
        note(session, 1, "first").await?;
        let first = note(session, 2, "first").await;
        assert!(matches!(&first, Err(sqlx::Error::Database(error)) if error.is_unique_violation()), "{first:?}");
        let next = note(session, 3, "third").await;
        if ERROR_DOOMS {
            // Refused by us, with the first error; another failure does not take its place.
            let next = Error::from(next.unwrap_err());
            assert_eq!(next.category(), Category::Integrity(Integrity::Unique), "{next}");
            let last = sqlx::query("SELECT * FROM nowhere").execute(&mut *session).await.unwrap_err();
            assert_eq!(Error::from(last).category(), Category::Integrity(Integrity::Unique));
        } else {
            next?;
        }
        Ok(())
    }

    /// Trap 4: an error is swallowed, then the work is committed.
    #[tokio::test]
    async fn a_swallowed_error() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let result = swallows(&pool).await;
        assert_quiet(&pool);
        let swallowed = stats(concat!(module_path!(), "::swallows"));
        if ERROR_DOOMS {
            let error = result.unwrap_err();
            assert_eq!(error.category(), Category::Integrity(Integrity::Unique), "{error}");
            assert_eq!((error.phase(), error.outcome()), (Phase::Commit, Outcome::RolledBack));
            assert_eq!(error.constraint(), Some("notes_body_key"));
            assert_eq!(place.count("notes").await, 0);
            assert_eq!((swallowed.rolled_back, swallowed.committed), (1, 0));
        } else {
            result.unwrap();
            assert_eq!(place.count("notes").await, 2);
            assert_eq!((swallowed.rolled_back, swallowed.committed), (0, 1));
        }
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(pool.stats().opened, 1, "the connection is well");
    }

    #[tokio::test]
    async fn a_swallowed_error_by_hand() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1, "first").await.unwrap();
        note(&mut session, 1, "again").await.unwrap_err();
        let result = session.commit().await;
        assert_quiet(&pool);
        if ERROR_DOOMS {
            let error = result.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::Integrity(Integrity::Unique), Outcome::RolledBack));
        } else {
            result.unwrap();
        }
        assert_eq!(place.count("notes").await, i64::from(!ERROR_DOOMS));
    }

    #[with_session]
    async fn stops_half_way(session: &mut Session, place: &Place) -> Result<(), Error> {
        note(session, 1, "first").await?;
        drop_when(place.slow_is_running(), sqlx::query(SLOW).execute(&mut *session)).await;
        note(session, 2, "second").await?;
        Ok(())
    }

    /// A body may drop its own statements: `select!`, `timeout`.
    #[tokio::test]
    async fn a_statement_dropped_by_the_body() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let result = in_time(stops_half_way(&pool, &place)).await;
        assert_quiet(&pool);
        let kept = place.count("notes").await;
        let error = result.unwrap_err();
        assert_eq!((error.outcome(), kept), (Outcome::RolledBack, 0), "it dooms its level: {error}");
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(pool.stats().opened, 1, "stopped, and the same connection serves on");
        let mut next = pool.begin().await.unwrap();
        note(&mut next, 3, "third").await.unwrap();
        next.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 1);
    }
}

/// The server rolls one of two sessions back that wait for each other.
mod deadlocks {
    each_server! {
        use steadfast::{with_session, Category, Error, Outcome};
        use tokio::sync::Barrier;

        async fn add(session: &mut Session, id: i64) -> Result<(), sqlx::Error> {
            sqlx::query(sql("UPDATE accounts SET cents = cents + 1 WHERE id = $1")).bind(id).execute(&mut *session).await?;
            Ok(())
        }

        /// Swallows a deadlock and goes on.
        #[with_session]
        async fn swallows(session: &mut Session, first: i64, second: i64, both: &Barrier) -> Result<bool, Error> {
            add(session, first).await?;
            both.wait().await;
            if let Err(error) = add(session, second).await {
                assert_eq!(Error::from(error).category(), Category::Conflict);
                // On MySQL the server has rolled everything back: this would be committed by itself.
                let next = sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'survives')").execute(&mut *session).await;
                assert_eq!(Error::from(next.unwrap_err()).category(), Category::Conflict);
                return Ok(true);
            }
            Ok(false)
        }

        #[tokio::test]
        async fn a_swallowed_one_keeps_nothing() {
            let place = Place::new().await;
            let pool = place.pool(2).await;
            let both = Barrier::new(2);
            let (one, two) = tokio::join!(swallows(&pool, 1, 2, &both), swallows(&pool, 2, 1, &both));
            let (error, well) = match (one, two) {
                (Err(error), Ok(well)) | (Ok(well), Err(error)) => (error, well),
                other => panic!("one is the victim: {other:?}"),
            };
            assert!(!well);
            assert_eq!((error.category(), error.outcome()), (Category::Conflict, Outcome::RolledBack), "{error}");
            assert!(error.is_retryable());
            assert_quiet(&pool);
            assert_eq!(place.count("notes").await, 0);
            assert_eq!((place.cents(1).await, place.cents(2).await), (1001, 1001), "the other one's work");
            assert_eq!(place.open_transactions().await, 0);
            let swallowed = stats(concat!(module_path!(), "::swallows"));
            assert_eq!((swallowed.committed, swallowed.rolled_back, swallowed.failed(Category::Conflict)), (1, 1, 1));
        }
    }
}

/// What ends the transaction behind everybody's back differs with the database.
mod silently_ended {
    use crate::support::*;
    use steadfast::{
        Category, Error, Integrity, MySqlSession, Outcome, Phase, SqliteSession, with_session,
    };

    #[with_session]
    async fn or_rollback(session: &mut SqliteSession) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'first')")
            .execute(&mut *session)
            .await?;
        let error = sqlx::query("INSERT OR ROLLBACK INTO notes (id, body) VALUES (2, 'first')")
            .execute(&mut *session)
            .await
            .unwrap_err();
        assert!(error.as_database_error().unwrap().is_unique_violation());
        // With plain sqlx this one is kept.
        let next = sqlx::query("INSERT INTO notes (id, body) VALUES (3, 'third')")
            .execute(&mut *session)
            .await;
        assert_eq!(
            Error::from(next.unwrap_err()).category(),
            Category::Integrity(Integrity::Unique)
        );
        Ok(())
    }

    #[tokio::test]
    async fn sqlite_or_rollback_dooms_at_once() {
        let place = sqlite::Place::new().await;
        let pool = place.pool(1).await;
        let error = or_rollback(&pool).await.unwrap_err();
        assert_eq!(
            (error.category(), error.outcome()),
            (Category::Integrity(Integrity::Unique), Outcome::RolledBack)
        );
        assert_quiet(&pool);
        assert_eq!(place.count("notes").await, 0);
        assert_eq!(stats("silently_ended::or_rollback").rolled_back, 1);
    }

    #[with_session]
    async fn raises(session: &mut SqliteSession) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'first')")
            .execute(&mut *session)
            .await?;
        let _ = sqlx::query("UPDATE accounts SET cents = 7 WHERE id = 1")
            .execute(&mut *session)
            .await;
        let _ = sqlx::query("INSERT INTO notes (id, body) VALUES (3, 'third')")
            .execute(&mut *session)
            .await;
        Ok(())
    }

    #[tokio::test]
    async fn sqlite_a_trigger_that_rolls_back_dooms_at_once() {
        let place = sqlite::Place::new().await;
        sqlx::raw_sql("CREATE TRIGGER no_sevens BEFORE UPDATE ON accounts WHEN new.cents = 7 BEGIN SELECT RAISE(ROLLBACK, 'no sevens'); END")
            .execute(&place.plain)
            .await
            .unwrap();
        let pool = place.pool(1).await;
        let error = raises(&pool).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack);
        assert_quiet(&pool);
        assert_eq!(place.count("notes").await, 0);
    }

    #[with_session]
    async fn calls(session: &mut MySqlSession, procedure: &str, after: bool) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'first')")
            .execute(&mut *session)
            .await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CALL {procedure}()")))
            .execute(&mut *session)
            .await?;
        if after {
            sqlx::query("INSERT INTO notes (id, body) VALUES (3, 'third')")
                .execute(&mut *session)
                .await?;
        }
        Ok(())
    }

    async fn with_procedure(body: &str) -> mysql::Place {
        let place = mysql::Place::new().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "CREATE PROCEDURE sly() BEGIN {body} END"
        )))
        .execute(&place.plain)
        .await
        .unwrap();
        place
    }

    /// Its words cannot be seen, so COMMIT's proof says it: never a false `Ok`.
    #[tokio::test]
    async fn mysql_a_procedure_that_commits_is_found_out() {
        for body in [
            "INSERT INTO notes (id, body) VALUES (2, 'sly'); COMMIT;",
            "INSERT INTO notes (id, body) VALUES (2, 'sly'); COMMIT; START TRANSACTION;",
            "INSERT INTO notes (id, body) VALUES (2, 'sly'); COMMIT AND CHAIN;",
            "INSERT INTO notes (id, body) VALUES (2, 'sly'); CREATE TABLE sly (id INT);",
            "ROLLBACK; INSERT INTO notes (id, body) VALUES (2, 'sly');",
        ] {
            let place = with_procedure(body).await;
            let pool = place.pool(1).await;
            let error = calls(&pool, "sly", body.contains("AND CHAIN"))
                .await
                .unwrap_err();
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Programming, Outcome::Unknown),
                "{body}: {error}"
            );
            assert_eq!(error.phase(), Phase::Commit);
            assert!(!error.is_retryable());
            assert_quiet(&pool);
            assert!(
                place.count("notes").await >= 1,
                "{body}: the fault happened"
            );
            assert_eq!(place.open_transactions().await, 0);
            // And the next session is none the worse.
            let mut next = pool.begin().await.unwrap();
            sqlx::query("INSERT INTO notes (id, body) VALUES (9, 'next')")
                .execute(&mut next)
                .await
                .unwrap();
            next.commit().await.unwrap();
        }
        assert_eq!(stats("silently_ended::calls").committed, 0);
    }

    #[with_session]
    async fn calls_well(session: &mut MySqlSession) -> Result<(), Error> {
        sqlx::raw_sql("CALL sly()").execute(&mut *session).await?;
        Ok(())
    }

    /// Rolled back, such a session cannot promise that nothing stays.
    #[tokio::test]
    async fn mysql_a_procedure_that_commits_is_found_out_by_a_rollback_as_well() {
        let place = with_procedure("COMMIT;").await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        let nested: Result<(), Error> = session
            .savepoint(async |session| {
                calls(session, "sly", false).await?;
                Err(transient())
            })
            .await;
        assert!(nested.is_err());
        let next = sqlx::query("INSERT INTO notes (id, body) VALUES (5, 'fifth')")
            .execute(&mut session)
            .await;
        assert!(next.is_err(), "its savepoint is gone");
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(place.count("notes").await, 1, "the fault happened");
        let error = calls(&pool, "sly", false).await.unwrap_err();
        assert_eq!(
            error.outcome(),
            Outcome::RolledBack,
            "nothing was hidden yet: {error}"
        );
    }

    /// What a procedure leaves on its connection must not swallow the next user's work.
    #[tokio::test]
    async fn mysql_a_procedure_that_leaves_a_transaction_open_is_found_out() {
        for body in [
            "START TRANSACTION; INSERT INTO notes (id, body) VALUES (2, 'sly');",
            "SET autocommit = 0;",
            "SET autocommit = 0; SET completion_type = 1;",
        ] {
            let place = with_procedure(body).await;
            let pool = place.pool(1).await;
            let mut session = pool.begin().await.unwrap();
            let called = sqlx::raw_sql("CALL sly()").execute(&mut session).await;
            called.unwrap();
            let _ = session.commit().await;
            sqlx::query("INSERT INTO notes (id, body) VALUES (7, 'kept from the session')")
                .execute(&pool)
                .await
                .unwrap();
            let error: Error = sqlx::query("CALL sly()")
                .execute(&pool)
                .await
                .unwrap_err()
                .into();
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Programming, Outcome::Unknown),
                "{body}: {error}"
            );
            sqlx::query("INSERT INTO notes (id, body) VALUES (8, 'kept from the call')")
                .execute(&pool)
                .await
                .unwrap();
            assert_eq!(pool.stats().opened, 1, "{body}: proven, it serves on");
            let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notes WHERE id > 6")
                .fetch_one(&place.plain)
                .await
                .unwrap();
            assert_eq!(kept, 2, "{body}: acknowledged and lost");
            assert_eq!(place.open_transactions().await, 0, "{body}");
        }
    }

    /// So may the server's own settings.
    #[tokio::test]
    async fn mysql_a_server_that_begins_transactions_by_itself_changes_nothing() {
        for settings in [[("autocommit", "0")], [("completion_type", "CHAIN")]] {
            let server =
                crate::support::private::start_with::<sqlx::MySql>(Box::leak(Box::new(settings)))
                    .await;
            let place = mysql::Place::on(&server.url()).await;
            let pool = place.pool(1).await;
            let mut session = pool.begin().await.unwrap();
            sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'first')")
                .execute(&mut session)
                .await
                .unwrap();
            session.commit().await.unwrap();
            sqlx::query("INSERT INTO notes (id, body) VALUES (2, 'second')")
                .execute(&pool)
                .await
                .unwrap();
            pool.close().await;
            assert_eq!(place.count("notes").await, 2, "{settings:?}");
        }
    }

    #[tokio::test]
    async fn mysql_a_procedure_that_keeps_the_transaction_is_well() {
        let place = with_procedure("INSERT INTO notes (id, body) VALUES (2, 'good');").await;
        let pool = place.pool(1).await;
        calls_well(&pool).await.unwrap();
        assert_eq!(place.count("notes").await, 1);
    }
}
