//! Words that would end or begin a transaction are refused before they are sent, and the session stays well.

each_database! {
    use steadfast::{with_session, Category, Error, Outcome};

    /// For all, then what the one database knows besides.
    fn refused() -> Vec<&'static str> {
        let mut texts = vec![
            "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE SAVEPOINT a", "ROLLBACK TO SAVEPOINT a",
            "/* hidden */ -- twice\n COMMIT", "; ; commit",
        ];
        texts.extend(match NAME {
            "postgres" => ["START TRANSACTION", "END", "ABORT", "PREPARE TRANSACTION 'x'"],
            "mysql" => ["START TRANSACTION", "CREATE TABLE sly (id INT)", "/*!50000 COMMIT */", "SET autocommit = 1"],
            _ => ["BEGIN IMMEDIATE", "END", "end transaction", "EXPLAIN SELECT 1; COMMIT"],
        });
        texts
    }

    #[with_session]
    async fn tries(session: &mut Session, refusals: &mut Vec<Error>) -> Result<(), Error> {
        note(session, 1).await?;
        for text in refused() {
            let prepared = sqlx::query(text).execute(&mut *session).await;
            let raw = sqlx::raw_sql(text).execute(&mut *session).await;
            let behind = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SELECT 1; {text}"))).execute(&mut *session).await;
            for result in [prepared, raw, behind] {
                refusals.push(Error::from(result.expect_err(text)));
            }
        }
        note(session, 2).await?;
        Ok(())
    }

    #[tokio::test]
    async fn the_session_stays_well() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut refusals = Vec::new();
        tries(&pool, &mut refusals).await.unwrap();
        assert_quiet(&pool);
        assert_eq!(refusals.len(), 3 * refused().len());
        for error in &refusals {
            assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::NotSent), "{error}");
            assert!(error.as_sqlx().is_none(), "the server never saw it: {error}");
        }
        assert_eq!(place.count("notes").await, 2);
    }

    #[with_session]
    async fn commits_itself(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        sqlx::query("COMMIT").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn returned_it_is_an_error_like_any_other() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = commits_itself(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack));
        assert!(error.to_string().contains("COMMIT"), "{error}");
        assert_quiet(&pool);
        assert_eq!(place.count("notes").await, 0);
    }

    #[tokio::test]
    async fn as_the_first_statement_it_takes_no_connection() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        let mut session = pool.begin().await.unwrap();
        sqlx::query("COMMIT").execute(&mut session).await.unwrap_err();
        assert_eq!(pool.stats().opened, 0);
        session.commit().await.unwrap();
    }
}
