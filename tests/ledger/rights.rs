//! A user who may not do everything.

each_server! {
    use steadfast::{Category, Error, Outcome, retry, with_session};

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    /// What a user may do with a table of this place.
    async fn grant(place: &Place, user: &str, rights: &str, table: &str) {
        let text = match NAME {
            "mysql" => format!("GRANT {rights} ON {}.{table} TO {user}@'%'", place.name),
            _ => format!("GRANT {rights} ON {table} TO {user}"),
        };
        sqlx::raw_sql(sql(&text)).execute(&place.plain).await.unwrap();
    }

    #[tokio::test]
    async fn who_may_not_make_the_table_may_use_it() {
        let place = Place::new().await;
        let (user, password) = place.user().await;
        grant(&place, &user, "INSERT, SELECT", "notes").await;
        let (scheme, rest) = place.url.split_once("://").unwrap();
        let (_, host) = rest.split_once('@').unwrap();
        let pool = Pool::builder().primary(format!("{scheme}://{user}:{password}@{host}")).max_connections(1).connect().await.unwrap();

        let error = pool.install().await.unwrap_err();
        assert_eq!(error.category(), Category::Access, "nobody has made it: {error}");
        let error = verified(&pool, 1).await.unwrap_err();
        // MySQL does not tell such a user whether it is there.
        let expected = if NAME == "mysql" { Category::Access } else { Category::Programming };
        assert_eq!((error.category(), error.outcome()), (expected, Outcome::RolledBack), "{error}");

        place.pool(1).await.install().await.unwrap();
        for rights in [None, Some("INSERT")] {
            if let Some(rights) = rights {
                grant(&place, &user, rights, "steadfast_ledger").await;
            } else {
                let error = verified(&pool, 1).await.unwrap_err();
                assert_eq!((error.category(), error.outcome()), (Category::Access, Outcome::RolledBack), "{error}");
                assert!(error.to_string().contains("steadfast_ledger") && error.to_string().contains("grant"), "{error}");
            }
            let error = pool.install().await.unwrap_err();
            assert_eq!(error.category(), Category::Access, "{rights:?}: {error}");
            assert!(error.to_string().contains("steadfast_ledger"), "{rights:?}: {error}");
            assert_eq!((place.count("notes").await, place.count("steadfast_ledger").await), (0, 0));
        }

        grant(&place, &user, "SELECT", "steadfast_ledger").await;
        pool.install().await.unwrap();
        verified(&pool, 1).await.unwrap();
        assert_eq!((place.count("notes").await, place.count("steadfast_ledger").await), (1, 1));
        let error = pool.forget_tokens(std::time::Duration::from_hours(24)).await.unwrap_err();
        assert_eq!(error.category(), Category::Access, "{error}");
        assert!(!format!("{error:?}").contains(&password));
    }
}
