//! An inner call that asks for what the outer transaction does not give is refused before anything is sent.

each_database! {
    use steadfast::{with_session, Category, Error, Outcome, Phase};

    #[with_session(read_only)]
    async fn reads(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(&mut *session).await?)
    }

    #[with_session]
    async fn writes(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[with_session]
    async fn must_not_write(session: &mut Session) -> Result<(), Error> {
        note(session, 9).await?;
        Ok(())
    }

    #[track_caller]
    fn refused(error: &Error, words: &str) {
        assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Begin), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.to_string().contains(words) && !error.is_retryable(), "{error}");
    }

    #[with_session]
    async fn reads_inside(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        refused(&reads(&mut *session).await.unwrap_err(), "read_only");
        note(session, 2).await?;
        Ok(())
    }

    #[with_session(read_only)]
    async fn writes_inside(session: &mut Session) -> Result<i64, Error> {
        refused(&must_not_write(&mut *session).await.unwrap_err(), "read_only");
        reads(&mut *session).await
    }

    /// Trap 7: an inner function's isolation or `read_only` is ignored silently.
    #[tokio::test]
    async fn read_only_and_writing() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        reads_inside(&pool).await.unwrap();
        assert_eq!(place.count("notes").await, 2, "the outer one stays well");
        assert_eq!(writes_inside(&pool).await.unwrap(), 2);
        assert_quiet(&pool);
        let refused = stats(concat!(module_path!(), "::must_not_write"));
        assert_eq!((refused.started, refused.not_sent, refused.failed(Category::Programming)), (1, 1, 1));
    }

    #[with_session(read_only)]
    async fn writes_all_the_same(session: &mut Session) -> Result<(), Error> {
        note(session, 7).await?;
        Ok(())
    }

    /// `read_only` is the database's to enforce, and leaves nothing on the connection.
    #[tokio::test]
    async fn a_read_only_session_does_not_write() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = writes_all_the_same(&pool).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{error}");
        assert_eq!(place.count("notes").await, 0);
        writes(&pool, 1).await.unwrap();
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES (2, 'autocommit')")).execute(&pool).await.unwrap();
        assert_eq!((place.count("notes").await, pool.stats().opened), (2, 1));
    }

    #[with_session(isolation = serializable)]
    async fn strict(session: &mut Session) -> Result<(), Error> {
        note(session, 5).await?;
        Ok(())
    }

    #[with_session(isolation = serializable)]
    async fn strict_twice(session: &mut Session) -> Result<(), Error> {
        strict(&mut *session).await
    }

    #[with_session]
    async fn lax(session: &mut Session) -> Result<(), Error> {
        strict(&mut *session).await
    }

    /// Trap 7: an inner function's isolation or `read_only` is ignored silently.
    #[tokio::test]
    async fn a_stricter_isolation() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        // SQLite knows no other.
        match lax(&pool).await {
            Err(error) => {
                refused(&error, "isolation");
                assert_ne!(NAME, "sqlite");
                assert_eq!(pool.stats().opened, 0, "nothing was sent");
            }
            Ok(()) => assert_eq!(NAME, "sqlite"),
        }
        let before = place.count("notes").await;
        sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        strict_twice(&pool).await.unwrap();
        assert_eq!((before, place.count("notes").await), (i64::from(NAME == "sqlite"), 1));
    }
}

mod weaker {
    each_server! {
        use steadfast::{with_session, Category, Error};

        #[with_session(isolation = read_committed)]
        async fn read_committed(session: &mut Session) -> Result<(), Error> {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok(())
        }

        #[with_session(isolation = repeatable_read)]
        async fn repeatable_read(session: &mut Session) -> Result<(), Error> {
            read_committed(&mut *session).await
        }

        #[with_session(isolation = serializable)]
        async fn serializable(session: &mut Session) -> Result<(), Error> {
            repeatable_read(&mut *session).await
        }

        #[with_session(isolation = read_committed)]
        async fn upside_down(session: &mut Session) -> Result<(), Error> {
            repeatable_read(&mut *session).await
        }

        #[tokio::test]
        async fn a_weaker_isolation_gets_more_than_it_asked_for() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            serializable(&pool).await.unwrap();
            let error = upside_down(&pool).await.unwrap_err();
            assert_eq!(error.category(), Category::Programming);
            assert_quiet(&pool);
        }
    }
}
