//! A statement of a session's that changes limits for those behind it.

each_server! {
    use sqlx::{AssertSqlSafe, Executor as _};
    use steadfast::{Category, Error, with_session};

    #[with_session(statement_timeout = "400ms")]
    async fn is_limited(session: &mut Session) -> Result<(), Error> {
        session.execute(SLOW).await?;
        Ok(())
    }

    #[with_session(statement_timeout = "400ms")]
    async fn sets(session: &mut Session, words: String) -> Result<(), Error> {
        session.execute(AssertSqlSafe(words)).await?;
        Ok(())
    }

    #[tokio::test]
    async fn the_next_session_has_its_own() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let variable = if NAME == "postgres" { "statement_timeout" } else { "max_statement_time" };
        for words in [format!("SET {variable} = 0"), format!("SELECT 1; set session {variable} = 0")] {
            sets(&pool, words.clone()).await.unwrap();
            let limited = tokio::time::timeout(PATIENCE, is_limited(&pool)).await;
            let error = limited.expect("it has a limit").unwrap_err();
            assert_eq!(error.category(), Category::Timeout, "{words}: {error}");
            // One of a single statement's, too short for anything.
            let short = if NAME == "postgres" { "1" } else { "0.001" };
            pool.execute(AssertSqlSafe(format!("SET {variable} = {short}"))).await.unwrap();
            let mut session = pool.begin().await.unwrap();
            session.execute(if NAME == "postgres" { "SELECT pg_sleep(0.1)" } else { "SELECT SLEEP(0.1)" }).await.unwrap();
            session.commit().await.unwrap();
        }
        assert_eq!(pool.stats().opened, 5, "each that is seen closes its connection");
    }

    #[with_session(statement_timeout = "400ms", autocommit)]
    async fn is_limited_alone(session: &mut Session) -> Result<(), Error> {
        session.execute(SLOW).await?;
        Ok(())
    }

    #[with_session(statement_timeout = "400ms", autocommit)]
    async fn sets_alone(session: &mut Session, words: &str) -> Result<(), Error> {
        session.execute(AssertSqlSafe(words)).await?;
        Ok(())
    }

    #[track_caller]
    fn timed_out(result: Result<Result<(), Error>, tokio::time::error::Elapsed>, words: &str) {
        let error = result.unwrap_or_else(|_| panic!("{words}: it has a limit")).unwrap_err();
        assert_eq!(error.category(), Category::Timeout, "{words}: {error}");
    }

    /// The text of the last does not show it; what travels with BEGIN does not depend on that.
    #[tokio::test]
    async fn also_where_it_is_not_set_that_changes_them() {
        let place = Place::new().await;
        let (made, shown): (&[&str], &[&str]) = if NAME == "postgres" {
            (
                &[
                    "CREATE PROCEDURE no_limit() LANGUAGE plpgsql AS $$BEGIN SET statement_timeout = 0; END$$",
                    "CREATE FUNCTION hidden() RETURNS int LANGUAGE plpgsql AS \
                        $$BEGIN PERFORM set_config('statement_timeout', '0', false); RETURN 1; END$$",
                ],
                &[
                    "SELECT set_config('statement_timeout', '0', false)",
                    "UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'",
                    "DO 'BEGIN SET statement_timeout = 0; END'",
                    "CALL no_limit()",
                    "DISCARD ALL",
                ],
            )
        } else {
            (
                &[
                    "CREATE PROCEDURE no_limit() SET SESSION max_statement_time = 0",
                    "CREATE FUNCTION hidden() RETURNS INT BEGIN SET SESSION max_statement_time = 0; RETURN 1; END",
                ],
                &["CALL no_limit()", "DO hidden()"],
            )
        };
        for routine in made {
            place.plain.execute(*routine).await.unwrap();
        }
        let pool = place.pool(1).await;
        for words in shown.iter().copied().chain(["SELECT hidden()"]) {
            let opened = pool.stats().opened;
            sets_alone(&pool, words).await.unwrap();
            if words != "SELECT hidden()" {
                timed_out(tokio::time::timeout(PATIENCE, is_limited_alone(&pool)).await, words);
                sets_alone(&pool, words).await.unwrap();
            }
            timed_out(tokio::time::timeout(PATIENCE, is_limited(&pool)).await, words);
            let is_unseen = ["CALL", "DO", "SELECT hidden"].iter().any(|unseen| words.starts_with(unseen));
            assert_eq!(pool.stats().opened == opened, is_unseen, "{words}: what is seen closes its connection");
        }
    }
}
