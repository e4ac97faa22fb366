//! What ends a transaction out of sight: procedures, compound statements, a setting of the server. Nobody may be told
//! that nothing stays, and nothing may be repeated, where a part was committed.

mod mysql {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use sqlx::{AssertSqlSafe, Executor as _};
    use steadfast::{Category, Error, Outcome, retry, with_session};

    use crate::support::private::{self, Server};
    use crate::support::{assert_quiet, eventually, mysql::*, stats, transient};

    /// A place with `sly()`, and with `applied`, which takes a row of each attempt.
    async fn with_procedure(body: &str) -> Place {
        let place = Place::new().await;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE TABLE applied (attempt INT NOT NULL); CREATE PROCEDURE sly() BEGIN {body} END"
        )))
        .execute(&place.plain)
        .await
        .unwrap();
        place
    }

    async fn apply(session: &mut Session) -> Result<(), sqlx::Error> {
        let attempt = session.attempt();
        sqlx::query("INSERT INTO applied (attempt) VALUES (?)")
            .bind(attempt)
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn chunks(session: &mut Session) -> Result<(), Error> {
        apply(session).await?;
        session.execute("CALL sly()").await?;
        Ok(())
    }

    /// The first chunk is committed with what came before it, the second meets a deadlock.
    #[tokio::test]
    async fn mysql_a_procedure_that_fails_behind_its_own_commit_is_not_repeated() {
        let place = with_procedure(
            "COMMIT; START TRANSACTION; UPDATE accounts SET cents = cents + 1 WHERE id = 1;
             UPDATE accounts SET cents = cents + 1 WHERE id = 2; COMMIT;",
        )
        .await;
        let pool = place.pool(1).await;
        let result = as_victim(&place, &pool, chunks(&pool)).await;
        let applied = place.count("applied").await;
        assert_eq!(applied, 1, "applied once: {result:?}");
        let error = result.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert!(!error.is_retryable(), "{error}");
        assert_quiet(&pool);
        let chunked = stats("hidden::mysql::chunks");
        assert_eq!(
            (chunked.unknown, chunked.rolled_back, chunked.retried),
            (1, 0, 0),
            "{chunked:?}"
        );
    }

    #[with_session]
    async fn fails(session: &mut Session) -> Result<(), Error> {
        note(session, 2).await?;
        note(session, 2).await?;
        Ok(())
    }

    #[with_session]
    async fn returns_an_inner_error(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        session.execute("CALL sly()").await?;
        fails(&mut *session).await
    }

    /// The inner call says that it was rolled back, and its savepoint went with the transaction.
    #[tokio::test]
    async fn mysql_an_inner_error_does_not_speak_for_the_whole() {
        let place = with_procedure("COMMIT;").await;
        let pool = place.pool(1).await;
        let error = returns_an_inner_error(&pool).await.unwrap_err();
        assert!(place.count("notes").await >= 1, "the fault happened");
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert!(!error.is_retryable());
        assert_quiet(&pool);
        let outer = stats("hidden::mysql::returns_an_inner_error");
        assert_eq!((outer.unknown, outer.rolled_back), (1, 0), "{outer:?}");
    }

    #[tokio::test]
    async fn mysql_by_hand_a_rollback_that_came_too_late_is_an_error() {
        let place = with_procedure("COMMIT;").await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        session.execute("CALL sly()").await.unwrap();
        let result = session.rollback().await;
        assert_eq!(place.count("notes").await, 1, "the fault happened");
        assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn mysql_by_hand_set_to_roll_back_too_late_is_an_error() {
        let place = with_procedure("COMMIT;").await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        session.execute("CALL sly()").await.unwrap();
        session.set_rollback_only();
        let result = session.commit().await;
        assert_eq!(place.count("notes").await, 1, "the fault happened");
        assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
        assert_quiet(&pool);
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn is_cut_off(
        session: &mut Session,
        after: bool,
        asked: &AtomicU32,
    ) -> Result<(), Error> {
        apply(session).await?;
        session.execute("CALL sly()").await?;
        if after && asked.fetch_add(1, SeqCst) == 0 {
            sqlx::query(SLOW).execute(&mut *session).await?;
        }
        Ok(())
    }

    /// The connection is lost in the procedure, behind its commit, or later.
    #[tokio::test]
    async fn mysql_a_connection_lost_behind_a_procedures_commit_is_not_followed_by_another_attempt()
    {
        for after in [false, true] {
            let place = with_procedure(if after {
                "COMMIT;"
            } else {
                "COMMIT; IF (SELECT count(*) FROM applied) = 1 THEN DO SLEEP(30); END IF;"
            })
            .await;
            let pool = place.pool(1).await;
            let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
            let asked = AtomicU32::new(0);
            let killer = async {
                place.slow_is_running().await;
                place.kill(&[id]).await;
            };
            let (result, ()) = tokio::join!(is_cut_off(&pool, after, &asked), killer);
            assert_eq!(
                place.count("applied").await,
                1,
                "{after}: applied once: {result:?}"
            );
            let error = result.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{after}: {error}");
            assert!(!error.is_retryable(), "{after}: {error}");
            assert_quiet(&pool);
        }
        let cut = stats("hidden::mysql::is_cut_off");
        assert_eq!((cut.unknown, cut.retried), (2, 0), "{cut:?}");
    }

    /// Begins again by the end of its text, where a scanner may take `BEGIN` for the compound's.
    const BEGINS_AGAIN: [&str; 2] = [
        "BEGIN NOT ATOMIC SELECT 1; END; BEGIN",
        "IF 1 THEN SELECT 1; END IF; BEGIN",
    ];

    /// A handler keeps the error to itself that has ended the transaction.
    const SWALLOWS: &str = "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1205, 1213 BEGIN END;
         UPDATE accounts SET cents = cents + 1 WHERE id = 1; END";

    /// Plain: what the text leaves of a row ahead of it and of one behind it, when all is rolled back.
    async fn stays(place: &Place, text: &'static str) -> i64 {
        let mut plain = place.plain.acquire().await.unwrap();
        for sql in [
            "START TRANSACTION",
            "INSERT INTO notes (id, body) VALUES (1, 'ahead')",
            text,
            "INSERT INTO notes (id, body) VALUES (2, 'behind')",
            "ROLLBACK",
        ] {
            sqlx::raw_sql(sql).execute(&mut *plain).await.unwrap();
        }
        let stays = place.count("notes").await;
        plain.execute("DELETE FROM notes").await.unwrap();
        stays
    }

    #[with_session]
    async fn fails_behind(session: &mut Session, text: &'static str) -> Result<(), Error> {
        note(session, 1).await?;
        sqlx::raw_sql(text).execute(&mut *session).await?;
        note(session, 2).await?;
        Err(transient())
    }

    #[tokio::test]
    async fn mysql_a_compound_that_ends_the_transaction_is_never_called_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for text in BEGINS_AGAIN {
            assert_eq!(stays(&place, text).await, 1, "{text}: the fault happens");
            let error = fails_behind(&pool, text).await.unwrap_err();
            // It may be refused before it is sent: then nothing stays.
            let kept = place.count("notes").await;
            assert!(
                kept == 0 || error.outcome() == Outcome::Unknown,
                "{text}: {kept} rows stay, and it says {:?}: {error}",
                error.outcome()
            );
            assert_quiet(&pool);
            assert_eq!(place.open_transactions().await, 0);
            sqlx::raw_sql("DELETE FROM notes")
                .execute(&place.plain)
                .await
                .unwrap();
        }
    }

    /// A server on which a lock that is waited for in vain takes the whole transaction, with a lock in the way.
    async fn strict() -> (Server<Db>, Place) {
        let server = private::start_with::<Db>(&[
            ("innodb-rollback-on-timeout", "1"),
            ("innodb-lock-wait-timeout", "1"),
        ])
        .await;
        let place = Place::on(&server.url()).await;
        (server, place)
    }

    async fn hold(place: &Place) -> sqlx::Transaction<'static, Db> {
        let mut holder = place.plain.begin().await.unwrap();
        holder
            .execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
            .await
            .unwrap();
        holder
    }

    #[tokio::test]
    async fn mysql_a_handler_that_swallows_the_end_of_the_transaction_is_found_out() {
        let (_server, place) = strict().await;
        let pool = place.pool(1).await;
        let holder = hold(&place).await;
        assert_eq!(stays(&place, SWALLOWS).await, 1, "the fault happens");
        let error = fails_behind(&pool, SWALLOWS).await.unwrap_err();
        assert_eq!(place.count("notes").await, 1, "the fault happened");
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert!(!error.is_retryable());
        assert_quiet(&pool);
        holder.rollback().await.unwrap();
    }

    #[with_session]
    async fn waits_in_vain(session: &mut Session) -> Result<(), Error> {
        session
            .execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
            .await?;
        Ok(())
    }

    #[with_session]
    async fn shrugs(session: &mut Session, goes_on: bool) -> Result<(), Error> {
        note(session, 1).await?;
        let error = waits_in_vain(&mut *session).await.unwrap_err();
        assert_eq!(error.category(), Category::LockTimeout, "{error}");
        if goes_on {
            note(session, 2).await?;
        }
        Ok(())
    }

    /// The inner call's lock timeout has undone the outer's work as well, and that is what the outer says.
    #[tokio::test]
    async fn mysql_a_lock_timeout_that_rolls_all_back_dooms_the_outer_session() {
        let (_server, place) = strict().await;
        let pool = place.pool(1).await;
        let holder = hold(&place).await;
        for goes_on in [false, true] {
            let error = shrugs(&pool, goes_on).await.unwrap_err();
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::LockTimeout, Outcome::RolledBack),
                "{goes_on}: {error}"
            );
            assert!(error.is_retryable(), "{goes_on}: {error}");
            assert_quiet(&pool);
            assert_eq!(place.count("notes").await, 0, "{goes_on}");
        }
        holder.rollback().await.unwrap();
        let shrugged = stats("hidden::mysql::shrugs");
        assert_eq!(
            (shrugged.rolled_back, shrugged.unknown),
            (2, 0),
            "{shrugged:?}"
        );
        eventually("nothing is open", || async {
            place.open_transactions().await == 0
        })
        .await;
    }
}

mod postgres {
    use sqlx::Executor as _;
    use steadfast::{Error, Outcome, retry};

    use crate::support::{assert_quiet, postgres::*, stats};

    /// Each commits a row, and then asks for another attempt.
    const LATER: [&str; 2] = [
        "CALL sly()",
        "DO $$ BEGIN INSERT INTO applied VALUES (1); COMMIT; RAISE EXCEPTION 'later' USING ERRCODE = '40001'; END $$",
    ];

    async fn with_procedure() -> Place {
        let place = Place::new().await;
        sqlx::raw_sql(
            "CREATE TABLE applied (n INT NOT NULL);
             CREATE PROCEDURE sly() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO applied VALUES (1); COMMIT;
             RAISE EXCEPTION 'later' USING ERRCODE = '40001'; END $$",
        )
        .execute(&place.plain)
        .await
        .unwrap();
        place
    }

    async fn run(pool: &Pool, text: &'static str, way: &str) -> Result<(), sqlx::Error> {
        match way {
            "text" => sqlx::raw_sql(text).execute(pool).await.map(drop),
            "prepared" => pool.fetch_optional(sqlx::query(text)).await.map(drop),
            _ => pool.fetch_all(text).await.map(drop),
        }
    }

    #[retry(immediate, max = 3)]
    async fn insists(pool: &Pool, text: &'static str, way: &str) -> Result<(), Error> {
        run(pool, text, way).await?;
        Ok(())
    }

    #[tokio::test]
    async fn postgres_on_the_pool_a_procedure_that_fails_behind_its_commit_is_not_repeated() {
        let place = with_procedure().await;
        let pool = place.pool(1).await;
        let mut applied = 0;
        for text in LATER {
            for way in ["text", "prepared", "stream"] {
                let error = Error::from(run(&pool, text, way).await.unwrap_err());
                applied += 1;
                assert_eq!(
                    place.count("applied").await,
                    applied,
                    "{way}: the fault happened"
                );
                assert_eq!(
                    error.outcome(),
                    Outcome::Unknown,
                    "{way} of {text}: {error}"
                );
                assert!(!error.is_retryable(), "{way} of {text}: {error}");

                let error = insists(&pool, text, way).await.unwrap_err();
                applied += 1;
                assert_eq!(
                    place.count("applied").await,
                    applied,
                    "{way} of {text}: one attempt"
                );
                assert_eq!(
                    error.outcome(),
                    Outcome::Unknown,
                    "{way} of {text}: {error}"
                );
                assert_quiet(&pool);
            }
        }
        let insisted = stats("hidden::postgres::insists");
        assert_eq!((insisted.unknown, insisted.retried), (6, 0), "{insisted:?}");
    }
}
