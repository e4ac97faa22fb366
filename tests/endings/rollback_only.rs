//! A session by hand that is set to roll back: `commit()` is never `Ok`, whatever became of its connection.

each_server! {
    use std::time::Duration;
    use steadfast::{Category, Outcome};
    use xtask::proxy::Proxy;

    async fn open(pool: &Pool) -> (steadfast::Session<Db>, i64) {
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'never')").execute(&mut session).await.unwrap();
        let id = sqlx::query_scalar(WHICH).fetch_one(&mut session).await.unwrap();
        session.set_rollback_only();
        (session, id)
    }

    #[tokio::test]
    async fn a_connection_that_was_killed_is_no_success() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (session, id) = open(&pool).await;
        place.kill(&[id]).await;
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.category(), Category::Cancelled, "{error}");
        assert!(matches!(error.outcome(), Outcome::NotSent | Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert_eq!(place.count("notes").await, 0);
    }

    #[tokio::test]
    async fn nor_is_one_that_says_nothing() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
        let (session, _) = open(&pool).await;
        proxy.hold();
        let error = tokio::time::timeout(Duration::from_secs(2), session.commit()).await.unwrap().unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Cancelled, Outcome::NotSent), "{error}");
        assert_quiet(&pool);
        proxy.resume();
        eventually("nothing is open", || async { place.open_transactions().await == 0 }).await;
        assert_eq!(place.count("notes").await, 0);
    }
}
