//! What only servers answer: rights, locks, deadlocks, cancelled queries.

each_server! {
    use steadfast::{with_session, Category, Error, Outcome, Phase};

    #[with_session]
    async fn run(session: &mut Session, statement: &str) -> Result<(), Error> {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).fetch_all(&mut *session).await?;
        Ok(())
    }

    fn on<T>(postgres: T, mysql: T) -> T {
        if NAME == "postgres" { postgres } else { mysql }
    }

    #[tokio::test]
    async fn values_that_do_not_fit_and_rows_that_are_too_many() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = run(&pool, "SELECT (SELECT id FROM accounts)").await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::TooManyRows, Some(on("21000", "1242"))));
        let error = run(&pool, "INSERT INTO accounts VALUES (77, 1 / 0)").await.unwrap_err();
        let code = on("22012", "1365");
        // MariaDB answers NULL instead where its mode says so, and the column refuses that.
        let refused = on(None, Some("1048"));
        assert!(error.code() == Some(code) || error.code() == refused, "{error:?}");
        if error.code() == Some(code) {
            assert_eq!(error.category(), Category::Data);
        }
        assert_eq!(error.outcome(), Outcome::RolledBack);
    }

    #[tokio::test]
    async fn a_lock_that_is_not_granted() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = place.plain.begin().await.unwrap();
        sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE").execute(&mut *holder).await.unwrap();
        let error = run(&pool, "SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT").await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::LockTimeout, Some(on("55P03", "1205"))));
        assert!(error.is_retryable());
        assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack));
        assert_eq!(error.user_message(), "Somebody else was changing the same data. Please try again.");
        holder.rollback().await.unwrap();
    }

    #[tokio::test]
    async fn a_query_that_somebody_cancels() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let call = tokio::spawn({
            let pool = pool.clone();
            async move { run(&pool, SLOW).await }
        });
        place.slow_is_running().await;
        place.cancel_slow().await;
        let error = call.await.unwrap().unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::Cancelled, Some(on("57014", "1317"))), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(error.outcome(), Outcome::RolledBack);
    }

    #[with_session]
    async fn in_a_deadlock(session: &mut Session, plain: &Plain) -> Result<(), Error> {
        sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
        let mut other = plain.begin().await?;
        if NAME == "postgres" {
            sqlx::query("SET LOCAL deadlock_timeout = '1min'").execute(&mut *other).await?;
        }
        // InnoDB gives up the transaction that has changed less.
        sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id > 1").execute(&mut *other).await?;
        let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *other).await?;
        let opponent = tokio::spawn(async move {
            sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id = 1").execute(&mut *other).await?;
            other.commit().await
        });
        is_blocked(plain, id).await;
        let ended = sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 2").execute(&mut *session).await;
        assert!(ended.is_err(), "the session is the one to be given up");
        ended?;
        opponent.await.unwrap()?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deadlock() {
        let place = Place::new().await;
        let url = match NAME {
            "postgres" => format!("{}&options[deadlock_timeout]=20ms", place.url),
            _ => place.url.clone(),
        };
        let pool = Pool::connect(url).await.unwrap();
        let error = in_a_deadlock(&pool, &place.plain).await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::Conflict, Some(on("40P01", "1213"))), "{error:?}");
        assert!(error.is_retryable());
        assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack));
    }

    #[tokio::test]
    async fn a_user_without_rights() {
        let place = Place::new().await;
        let (user, password) = place.user().await;
        let url = place.url.replacen(&place.url[..place.url.find('@').unwrap()], &format!("{NAME}://{user}:{password}"), 1);
        let pool = Pool::connect(url).await.unwrap();
        let error = run(&pool, "SELECT * FROM accounts").await.unwrap_err();
        assert_eq!((error.category(), error.code()), (Category::Access, Some(on("42501", "1142"))), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(error.user_message(), "You are not allowed to do this.");
    }
}
