//! `/*!80016 … */` is code to a server of that version and a comment to others, and no text tells which a server is.

mod mysql {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use sqlx::Executor as _;
    use steadfast::{Category, Error, Outcome, retry, with_session};

    use crate::support::{assert_quiet, mysql::*, quiet, transient};

    /// Commits on a server for which a comment of theirs is not meant, and on none that runs them all.
    const REFUSED: [&str; 4] = [
        "/*!99999 SELECT */ ALTER TABLE notes COMMENT 'x'",
        "/*!999999 x */ COMMIT",
        "/*M!999999\\- enable the sandbox mode */ CREATE TABLE made (id INT)",
        "SELECT 1; /*!99999 SELECT */ COMMIT",
    ];

    /// Commits where one comment is run and another is not: nobody can tell by reading.
    const MIXED: &str = "/*!999999 SELECT */ /*!50000 ALTER */ TABLE notes COMMENT 'x'";

    #[with_session]
    async fn fails_behind(
        session: &mut Session,
        text: &'static str,
        prepared: bool,
    ) -> Result<(), Error> {
        // To Oracle's mode `body` is a keyword.
        sqlx::query("INSERT INTO notes VALUES (1, 'one')")
            .execute(&mut *session)
            .await?;
        if prepared {
            sqlx::query(text).execute(&mut *session).await?;
        } else {
            sqlx::raw_sql(text).execute(&mut *session).await?;
        }
        Err(transient())
    }

    #[tokio::test]
    async fn mysql_what_commits_in_one_reading_is_refused() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for text in REFUSED {
            let error = fails_behind(&pool, text, false).await.unwrap_err();
            assert_eq!(
                (error.category(), error.outcome()),
                (Category::Programming, Outcome::RolledBack),
                "{text}: {error}"
            );
            assert_eq!(place.count("notes").await, 0, "{text}");
        }
        // Code for all, and code for nobody.
        for text in [
            "SELECT /*!40001 SQL_NO_CACHE */ * FROM notes",
            "SELECT /*!999999 SQL_NO_WAY */ * FROM notes",
        ] {
            let mut session = pool.begin().await.unwrap();
            (&mut session).fetch_all(text).await.unwrap();
            session.commit().await.unwrap();
        }
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn mysql_what_no_reading_shows_is_never_called_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = fails_behind(&pool, MIXED, true).await.unwrap_err();
        assert_eq!(place.count("notes").await, 1, "the fault happened");
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        quiet(&pool).await;
    }

    /// Under these a backslash is but a character, and a block begins with another word.
    #[tokio::test]
    async fn mysql_nor_what_another_sql_mode_shows() {
        for (mode, text, prepared) in [
            ("NO_BACKSLASH_ESCAPES", "SELECT '\\'; COMMIT; -- '", false),
            (
                "ORACLE",
                "DECLARE x INT; BEGIN EXECUTE IMMEDIATE 'COMMIT'; END",
                true,
            ),
        ] {
            let place = Place::new().await;
            let pool = place
                .builder(1)
                .after_connect(move |connection| {
                    Box::pin(async move {
                        let set = format!("SET SESSION sql_mode = '{mode}'");
                        connection.execute(sqlx::AssertSqlSafe(set)).await?;
                        Ok(())
                    })
                })
                .connect()
                .await
                .unwrap();
            let error = fails_behind(&pool, text, prepared).await.unwrap_err();
            assert_eq!(
                place.count("notes").await,
                1,
                "{mode}: the fault happened: {error}"
            );
            assert_eq!(error.outcome(), Outcome::Unknown, "{mode}: {error}");
            quiet(&pool).await;
        }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn is_cut_off(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?;
        note(session, i64::from(runs.fetch_add(1, SeqCst))).await?;
        sqlx::raw_sql(MIXED).execute(&mut *session).await?;
        let kill = format!("KILL {id}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(kill))
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn mysql_a_connection_lost_behind_it_is_not_followed_by_another_attempt() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = is_cut_off(&pool, &runs).await.unwrap_err();
        assert_eq!(
            (runs.load(SeqCst), place.count("notes").await),
            (1, 1),
            "{error}"
        );
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        quiet(&pool).await;
    }
}
