//! Mistakes of the code, values that do not fit, the driver's own errors, deadlines: each has its category.

each_database! {
    use steadfast::{with_session, Category, Error, Group, Outcome};

    helpers!();

    #[with_session]
    async fn run(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn fetch(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).fetch_all(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_mistake_of_the_code_is_told_from_a_value_that_does_not_fit() {
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        let statements = [
            ("SELEKT 1", Category::Programming, on("42601", "1064", "1")),
            ("SELECT * FROM nowhere", Category::Programming, on("42P01", "1146", "1")),
            ("SELECT missing FROM children", Category::Programming, on("42703", "1054", "1")),
            (
                on(
                    "SELECT 'secret-4711'::int",
                    "INSERT INTO children VALUES (2, 99999999999999999999, 'x')",
                    "INSERT INTO things VALUES ('secret-4711')",
                ),
                Category::Data,
                on("22P02", "1264", "20"),
            ),
            (
                on(
                    "INSERT INTO children VALUES (2, 1, 'secret-4711-secret-4711-secret-4711')",
                    "INSERT INTO children VALUES (2, 1, 'secret-4711-secret-4711-secret-4711')",
                    "INSERT INTO strict VALUES ('secret-4711')",
                ),
                on(Category::Data, Category::Data, Category::Data),
                on("22001", "1406", "3091"),
            ),
        ];
        if NAME == "sqlite" {
            sqlx::raw_sql("CREATE TABLE things (id INTEGER PRIMARY KEY); CREATE TABLE strict (n INTEGER) STRICT")
                .execute(&place.plain).await.unwrap();
        }
        for (statement, category, code) in statements {
            let error = fetch(&pool, statement).await.unwrap_err();
            assert_eq!((error.category(), error.code()), (category, Some(code)), "{statement}: {error:?}");
            assert_eq!(error.category().group(), Group::Programming);
            assert_eq!(error.outcome(), Outcome::RolledBack, "{statement}");
            assert!(!error.is_retryable());
            is_fit_for_users(&error);
        }
    }

    #[with_session]
    async fn no_row(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT id FROM notes").fetch_one(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn wrong_type(session: &mut Session) -> Result<(), Error> {
        sqlx::query_scalar::<_, Vec<u8>>("SELECT id FROM accounts").fetch_one(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_error_of_the_driver_has_a_category_too() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = no_row(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::NotFound, None));
        assert!(matches!(error.as_sqlx(), Some(sqlx::Error::RowNotFound)));
        assert_eq!(error.user_message(), "This was not found.");
        let error = wrong_type(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error:?}");
        assert_eq!(error.outcome(), Outcome::RolledBack);
    }

    #[with_session(read_only)]
    async fn writes_read_only(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_write_in_a_read_only_session_is_a_mistake() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = writes_read_only(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error:?}");
        assert_eq!(error.code(), Some(on("25006", "1792", "8")));
        assert!(!error.is_retryable());
        assert_eq!(place.count("notes").await, 0);
        // The connection writes again in the next session.
        run(&pool, "INSERT INTO notes VALUES (1, 'x')").await.unwrap();
    }

    #[with_session(timeout = "300ms")]
    async fn too_slow(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&mut *session).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deadline_is_a_timeout() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let deadline = std::time::Duration::from_millis(300);
        let error = overdue_in_statement(&pool, deadline, || place.runs_slow(), too_slow(&pool)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(place.count("notes").await, 0);
        assert_eq!(stats(concat!(module_path!(), "::too_slow")).failed(Category::Timeout), 1);
    }
}
