//! The ledger's table: missing, another version's, made twice, made without the right to.

each_database! {
    use std::time::Duration;
    use steadfast::{Category, Error, Integrity, Outcome, retry, with_session};

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, id: i64) -> Result<u32, Error> {
        note(session, id).await?;
        Ok(session.attempt())
    }

    async fn run(place: &Place, text: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&place.plain).await.unwrap();
    }

    fn is_clear(error: &Error) {
        let said = error.to_string();
        assert!(said.contains("steadfast_ledger") && said.contains("pool.install()"), "{said}");
        assert!(!error.user_message().contains("ledger"), "{}", error.user_message());
    }

    #[tokio::test]
    async fn that_is_missing_or_another_versions_nothing_is_committed() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for table in [
            None,
            Some("CREATE TABLE steadfast_ledger (token VARCHAR(60) PRIMARY KEY)".to_owned()),
            Some("CREATE TABLE steadfast_ledger (token VARCHAR(60) PRIMARY KEY, committed INTEGER, made INTEGER)".to_owned()),
            Some(Pool::SCHEMA.replace("version = 1", "version = 2")),
            Some(Pool::SCHEMA.replace("version smallint NOT NULL", "version smallint").replace(
                "noted_at", "more INTEGER NOT NULL CHECK (more > 0), noted_at")),
        ] {
            if let Some(table) = &table {
                run(&place, table).await;
            }
            let error = verified(&pool, 1).await.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{table:?}: {error}");
            is_clear(&error);
            assert!(error.attempts().is_empty(), "not repeated");
            assert_eq!(place.count("notes").await, 0, "{table:?}");
            assert_quiet(&pool);
            assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::RolledBack);
            if table.is_some() {
                let refused = pool.install().await.unwrap_err();
                assert_eq!(refused.category(), Category::Programming, "{table:?}: {refused}");
                is_clear(&refused);
                run(&place, "DROP TABLE steadfast_ledger").await;
            }
        }
        pool.install().await.unwrap();
        assert_eq!(verified(&pool, 1).await.unwrap(), 1);
        assert_eq!((place.count("notes").await, place.count("steadfast_ledger").await), (1, 1));
    }

    #[tokio::test]
    async fn installing_twice_and_by_many_at_once_harms_nothing() {
        let place = Place::new().await;
        let pools: Vec<Pool> = futures_util::future::join_all((0..6).map(|_| place.pool(1))).await;
        for result in futures_util::future::join_all(pools.iter().map(|pool| pool.install())).await {
            result.unwrap();
        }
        assert_eq!(verified(&pools[0], 1).await.unwrap(), 1);
        pools[1].install().await.unwrap();
        assert_eq!(place.count("steadfast_ledger").await, 1, "the tokens stay, and a trial leaves none");
        // By hand it is the same.
        run(&place, Pool::SCHEMA).await;
        assert_eq!(place.count("steadfast_ledger WHERE committed").await, 1);
    }

    #[tokio::test]
    async fn old_tokens_are_forgotten_and_others_kept() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        for id in 0..3 {
            verified(&pool, id).await.unwrap();
        }
        let aged = match NAME {
            "postgres" => "UPDATE steadfast_ledger SET noted_at = noted_at - interval '3 days' WHERE token = (SELECT min(token::text)::uuid FROM steadfast_ledger)",
            "mysql" => "UPDATE steadfast_ledger SET noted_at = noted_at - INTERVAL 3 DAY ORDER BY token LIMIT 1",
            _ => "UPDATE steadfast_ledger SET noted_at = noted_at - 259200 WHERE token = (SELECT min(token) FROM steadfast_ledger)",
        };
        run(&place, aged).await;
        for (older_than, left) in [
            (Duration::MAX, 3),
            (Duration::from_hours(73), 3),
            (Duration::from_hours(24), 2),
            (Duration::from_hours(24), 2),
        ] {
            pool.forget_tokens(older_than).await.unwrap();
            assert_eq!(place.count("steadfast_ledger").await, left, "{older_than:?}");
        }
    }

    /// Whoever asks for a commit of today must find its token.
    #[tokio::test]
    async fn tokens_of_today_are_not_forgotten() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        verified(&pool, 1).await.unwrap();
        for too_young in [Duration::ZERO, Duration::from_hours(24) - Duration::from_nanos(1)] {
            let error = pool.forget_tokens(too_young).await.unwrap_err();
            assert_eq!(error.category(), Category::Programming, "{error}");
            assert!(error.to_string().contains("a day"), "{error}");
        }
        assert_eq!(place.count("steadfast_ledger").await, 1);
    }

    /// A table that takes a token twice could not tell one commit from another.
    #[tokio::test]
    async fn one_without_a_key_is_not_fit() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let table = Pool::SCHEMA.replace("PRIMARY KEY", "").replace(") WITHOUT ROWID", ")");
        run(&place, &table).await;
        let error = pool.install().await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error}");
        assert!(error.to_string().contains("twice"), "{error}");
        assert_eq!(place.count("steadfast_ledger").await, 0);
    }

    #[tokio::test]
    async fn forgetting_without_a_table_says_what_is_wrong() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = pool.forget_tokens(Duration::from_hours(24)).await.unwrap_err();
        assert_eq!(error.category(), Category::Programming, "{error}");
        assert!(error.to_string().contains("steadfast_ledger"), "{error}");
    }

    /// The user's own unique key is no token.
    #[tokio::test]
    async fn a_clash_of_the_users_own_is_the_users() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        verified(&pool, 1).await.unwrap();
        let error = verified(&pool, 1).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Integrity(Integrity::Unique), Outcome::RolledBack), "{error}");
        assert!(error.attempts().is_empty());
        assert_eq!(place.count("steadfast_ledger").await, 1);
    }

    /// Every value of a token fits the column, the highest bit and leading zeros among them.
    #[tokio::test]
    async fn a_token_is_stored_as_it_is() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        for id in 0..64 {
            verified(&pool, id).await.unwrap();
        }
        assert_eq!(place.count("steadfast_ledger WHERE committed").await, 64);
    }
}
