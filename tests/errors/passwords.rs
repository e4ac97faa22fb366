//! A password is shown nowhere.

each_server! {
    use steadfast::{with_session, Error, Phase};
    use crate::support::logs;

    #[with_session]
    async fn run(session: &mut Session, statement: &str) -> Result<(), Error> {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).fetch_all(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_password_is_shown_nowhere() {
        let place = Place::new().await;
        let (user, password) = place.user().await;
        let at = |password: &str| place.url.replacen(&place.url[..place.url.find('@').unwrap()], &format!("{NAME}://{user}:{password}"), 1);
        let (logs, _guard) = logs::capture();
        let mut shown = String::new();
        let mut show = |what: &dyn std::fmt::Debug| {
            shown.push_str(&format!("{what:?}\n{what:#?}\n"));
        };

        let pool = Pool::connect(at(&password)).await.unwrap();
        run(&pool, "SELECT 1").await.unwrap();
        let failed = run(&pool, "SELECT * FROM nowhere").await.unwrap_err();
        show(&(&pool, &failed, failed.to_string(), pool.stats(), pool.sessions()));
        let session = pool.begin().await.unwrap();
        show(&session);
        drop(session);

        // Each of these URLs is wrong in a way of its own.
        let wrong = [
            at(&format!("not-{password}")),
            at(&password).replacen("://", "+asyncpg://", 1),
            at(&password).replacen("127.0.0.1:", "127.0.0.1:x", 1),
            at(&password).replacen("127.0.0.1:", "127.0.0.1:1", 1),
            at(&password).replacen("://", ":", 1),
            at(&password).replacen("://", "//", 1),
            at(&format!("{password}/{password}")),
            at(&format!("{password}@{password}")),
            at(&format!("%ff{password}")),
        ];
        let mut errors = 0;
        for url in wrong {
            let connecting = Pool::builder().primary(&url).acquire_timeout(std::time::Duration::from_millis(300)).connect().await;
            let error = match connecting {
                Err(error) => error,
                // A server that trusts its host asks for no password, so none is wrong.
                Ok(pool) => {
                    assert_eq!(NAME, "postgres");
                    show(&pool);
                    continue;
                }
            };
            errors += 1;
            assert_eq!(error.phase(), Phase::Acquire);
            show(&(&error, error.to_string(), error.user_message()));
            let mut cause = std::error::Error::source(&error);
            while let Some(link) = cause {
                show(&(link.to_string(), link));
                cause = link.source();
            }
            let raw = sqlx::Error::from(error);
            show(&(&raw, raw.to_string()));
        }
        assert!(errors >= 5, "{errors} URLs were refused");
        assert!(pool.close().await.is_clean());
        show(&run(&pool, "SELECT 1").await.unwrap_err());
        assert!(!shown.contains(&password), "{shown}");
        let text = logs.text();
        assert!(text.contains("steadfast.call"), "something was logged: {text}");
        assert!(!text.contains(&password), "{text}");
    }
}
