//! What a pool refuses, and what it says then.

each_database! {
    use std::time::Duration;
    use steadfast::{with_session, Category, Error, Outcome, Phase};

    #[with_session]
    async fn touch(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    #[tokio::test]
    async fn a_wrong_limit_is_an_error_that_says_so() {
        let place = Place::new().await;
        let wrong = [
            (place.builder(0), "max_connections(1)"),
            (place.builder(2).min_connections(3), "`min_connections(3)` is more than `max_connections(2)`"),
            (place.builder(2).acquire_timeout(Duration::ZERO), "acquire timeout of 0"),
            (place.builder(2).standby(&place.url), "not available yet"),
            (Pool::builder(), "primary(url)"),
        ];
        for (builder, words) in wrong {
            let error = builder.connect().await.unwrap_err();
            assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Acquire));
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(place.builder(0).connect_lazy().is_err(), "a lazy pool is checked too");
    }

    #[with_session(timeout = "4000000000000h")]
    async fn touch_in_an_age(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn no_limit_is_too_long() {
        let place = Place::new().await;
        let pool = place.builder(1)
            .acquire_timeout(Duration::MAX).commit_timeout(Duration::MAX).idle_timeout(Duration::MAX)
            .max_lifetime(Duration::MAX).keepalive(Duration::MAX).ping_after(Duration::MAX)
            .connect().await.unwrap();
        touch_in_an_age(&pool).await.unwrap();
        touch(&pool).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_url_shows_the_right_one() {
        let (right, wrong) = match NAME {
            "postgres" => ("`postgres://", ["postgresql+asyncpg://u:p@h/d", "jdbc:postgresql://h/d", "mysql://h/d"]),
            "mysql" => ("`mysql://", ["mysql+pymysql://u:p@h/d", "jdbc:mysql://h/d", "postgres://h/d"]),
            _ => ("`sqlite://", ["sqlite+aiosqlite:///a.db", "sqlite3:///a.db", "file:a.db"]),
        };
        for url in wrong.into_iter().chain(["", "nonsense", "://", "http://[::"]) {
            for lazy in [false, true] {
                let builder = Pool::builder().primary(url);
                let pool = if lazy { builder.connect_lazy() } else { builder.connect().await };
                let error = pool.unwrap_err();
                assert_eq!(error.category(), Category::Programming, "{url}");
                assert!(error.to_string().contains(right), "{url}: {error}");
            }
        }
    }

    #[tokio::test]
    async fn a_schema_without_the_table_is_told_by_the_first_call() {
        let place = Place::new().await;
        sqlx::raw_sql("DROP TABLE notes").execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = Error::from(sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&pool).await.unwrap_err());
        assert_eq!(error.category(), Category::Programming);
        assert!(error.to_string().contains("notes") && error.to_string().contains("schema"), "{error}");
    }
}
