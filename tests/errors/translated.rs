//! What becomes of an error on its way: arms translate it, and results of sqlx and anyhow keep what it says.

each_database! {
    use steadfast::{db_error_handling, with_session, Category, Classify, Error, Integrity, Phase, SessionError};

    helpers!();

    #[derive(Debug, thiserror::Error, SessionError)]
    enum SignUp {
        #[error("taken")]
        Taken,
        #[error("no parent")]
        NoParent,
        #[error("refused by a rule")]
        Rule,
        #[error("a mistake")]
        Mistake,
        #[error("none")]
        Nobody,
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[with_session]
    #[db_error_handling(
        unique("children_tag_key") => SignUp::Taken,
        unique("children.tag") => SignUp::Taken,
        foreign_key => SignUp::NoParent,
        integrity => SignUp::Rule,
        programming => SignUp::Mistake,
        not_found => SignUp::Nobody,
    )]
    async fn sign_up(session: &mut Session, statement: &'static str) -> Result<(), SignUp> {
        sqlx::query(statement).fetch_one(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[db_error_handling(unique("another_key") => SignUp::Taken)]
    async fn another_key(session: &mut Session, statement: &'static str) -> Result<(), SignUp> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn arms_translate_at_the_boundary() {
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        macro_rules! becomes {
            ($statement:expr, $variant:pat) => {
                let error = sign_up(&pool, $statement).await.unwrap_err();
                assert!(matches!(error, $variant), "{}: {error:?}", $statement);
            };
        }
        becomes!("INSERT INTO children VALUES (2, 1, 'secret-4711')", SignUp::Taken);
        becomes!("INSERT INTO children VALUES (2, 99, 'b')", SignUp::NoParent);
        // Another unique constraint than the one that is named, then the group.
        becomes!("INSERT INTO children VALUES (1, 1, 'b')", SignUp::Rule);
        becomes!("INSERT INTO children VALUES (1001, 1, 'b')", SignUp::Rule);
        becomes!("INSERT INTO children VALUES (2, 1, NULL)", SignUp::Rule);
        becomes!("SELECT * FROM nowhere", SignUp::Mistake);
        becomes!("SELECT id FROM children WHERE id = 77", SignUp::Nobody);
        assert_eq!(place.count("children").await, 1);

        let error = another_key(&pool, "INSERT INTO children VALUES (2, 1, 'secret-4711')").await.unwrap_err();
        let SignUp::Db(error) = error else { panic!("no arm fits: {error:?}") };
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        assert_eq!(error.operation(), Some(concat!(module_path!(), "::another_key")));

        // What was translated is counted as what it was.
        let stats = stats(concat!(module_path!(), "::sign_up"));
        assert_eq!(stats.failed(Category::Integrity(Integrity::Unique)), 2);
        assert_eq!(stats.failed(Category::Integrity(Integrity::ForeignKey)), 1);
        assert_eq!((stats.failed(Category::Programming), stats.failed(Category::NotFound)), (1, 1));
        assert_eq!((stats.started, stats.rolled_back), (7, 7));
        assert_eq!(stats.failures().map(|(_, count)| count).sum::<u64>(), 7, "each once: {stats:?}");
    }

    #[db_error_handling(unique => SignUp::Taken)]
    async fn beside_a_session(plain: &Plain) -> Result<(), SignUp> {
        sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(plain).await?;
        Ok(())
    }

    #[db_error_handling(unique => SignUp::Taken)]
    fn without_async(error: sqlx::Error) -> Result<(), SignUp> {
        Err(error)?;
        Ok(())
    }

    #[tokio::test]
    async fn errors_are_handled_without_a_session_too() {
        let place = Place::new().await;
        beside_a_session(&place.plain).await.unwrap();
        let error = beside_a_session(&place.plain).await.unwrap_err();
        assert!(matches!(error, SignUp::Taken), "{error:?}");
        let unique = Category::Integrity(Integrity::Unique);
        assert_eq!(stats(concat!(module_path!(), "::beside_a_session")).failed(unique), 1);

        let error = sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&place.plain).await.unwrap_err();
        assert!(matches!(without_async(error), Err(SignUp::Taken)));
        assert_eq!(stats(concat!(module_path!(), "::without_async")).failed(unique), 1);
    }

    #[with_session]
    #[db_error_handling]
    async fn in_sqlx(session: &mut Session, statement: &'static str) -> sqlx::Result<u64> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(1)
    }

    #[with_session]
    #[db_error_handling]
    async fn in_anyhow(session: &mut Session, statement: &'static str) -> anyhow::Result<u64> {
        use anyhow::Context as _;
        sqlx::query(statement).execute(&mut *session).await.context("signing up")?;
        Ok(1)
    }

    #[tokio::test]
    async fn results_of_sqlx_and_anyhow_keep_what_the_database_said() {
        const TAKEN: &str = "INSERT INTO children VALUES (2, 1, 'secret-4711')";
        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        let error = in_sqlx(&pool, TAKEN).await.unwrap_err();
        assert!(error.as_database_error().is_some_and(|error| error.is_unique_violation()), "{error:?}");
        let error = in_anyhow(&pool, TAKEN).await.unwrap_err();
        assert_eq!(Classify::category(&error), Some(Category::Integrity(Integrity::Unique)));
        assert_eq!(error.to_string(), "signing up");
        let found = error.chain().find_map(|link| link.downcast_ref::<sqlx::Error>());
        assert!(found.is_some_and(|error| error.as_database_error().is_some()), "{error:?}");

        // What acquire says reaches both as well.
        pool.close().await;
        let error = in_sqlx(&pool, TAKEN).await.unwrap_err();
        assert!(matches!(error, sqlx::Error::AnyDriverError(_)), "{error:?}");
        assert_eq!(Error::from(error).category(), Category::Closed);
        let error = in_anyhow(&pool, TAKEN).await.unwrap_err();
        assert_eq!(Classify::category(&error), Some(Category::Closed), "{error:?}");
    }

    #[tokio::test]
    async fn an_error_fits_in_a_pointer_and_passes_through_sqlx() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let place = Place::new().await;
        let clock = Clock::stop();
        let pool = place.builder(1).acquire_timeout(std::time::Duration::from_millis(50)).connect().await.unwrap();
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut holder).await.unwrap();
        // Connecting took none of the 50 ms; the queue takes them all.
        clock.leap();
        let raw = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
        drop(clock);
        let error = Error::from(raw);
        assert_eq!((error.category(), error.phase()), (Category::Capacity, Phase::Acquire), "{error:?}");
        let there_and_back = Error::from(sqlx::Error::from(error));
        assert_eq!(there_and_back.category(), Category::Capacity);
        assert_eq!(there_and_back.phase(), Phase::Acquire);
    }
}
