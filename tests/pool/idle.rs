//! Idle connections to a server: which serves first, and what becomes of those that one side has closed.

each_server! {
    use std::time::Duration;
    use futures_util::future::join_all;
    use steadfast::{with_session, Error};

    #[with_session]
    async fn which(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    /// Opens that many connections and leaves them idle.
    async fn fill(pool: &Pool, connections: usize) -> Vec<i64> {
        let mut sessions = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..connections {
            let mut session = pool.begin().await.unwrap();
            ids.push(sqlx::query_scalar(WHICH).fetch_one(&mut session).await.unwrap());
            sessions.push(session);
        }
        for session in sessions {
            session.rollback().await.unwrap();
        }
        assert_eq!(pool.stats().idle, connections);
        ids
    }

    #[tokio::test]
    async fn the_last_used_connection_serves_first() {
        let place = Place::new().await;
        let pool = place.builder(3).connect().await.unwrap();
        let ids = fill(&pool, 3).await;
        for _ in 0..10 {
            assert_eq!(which(&pool).await.unwrap(), ids[2], "the one that came back last");
        }
    }

    #[tokio::test]
    async fn idle_connections_that_the_server_closed_are_replaced() {
        let place = Place::new().await;
        for ping_after in [Duration::from_secs(3600), Duration::ZERO] {
            let pool = place.builder(4).ping_after(ping_after).connect().await.unwrap();
            let dead = fill(&pool, 4).await;
            place.kill(&dead).await;
            // One call finds all four of them dead and still works; so does a crowd.
            let id = which(&pool).await.unwrap();
            assert!(!dead.contains(&id), "{ping_after:?}");
            for id in join_all((0..8).map(|_| which(&pool))).await {
                assert!(!dead.contains(&id.unwrap()));
            }
            place.kill(&fill(&pool, 4).await).await;
            for id in join_all((0..4).map(|_| which(&pool))).await {
                id.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn so_are_those_that_never_served_anybody() {
        let place = Place::new().await;
        let pool = place.builder(3).min_connections(3).ping_after(Duration::from_secs(3600)).connect().await.unwrap();
        eventually("the minimum is open", || async { pool.stats().idle == 3 }).await;
        place.kill_all().await;
        for id in join_all((0..3).map(|_| which(&pool))).await {
            id.unwrap();
        }
    }

    #[tokio::test]
    async fn a_statement_on_the_pool_survives_closed_idle_connections() {
        let place = Place::new().await;
        let pool = place.builder(2).ping_after(Duration::ZERO).connect().await.unwrap();
        place.kill(&fill(&pool, 2).await).await;
        let one: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        assert!(one > 0);
    }

    #[tokio::test]
    async fn a_closed_pool_leaves_no_connection() {
        let place = Place::new().await;
        let pool = place.builder(3).connect().await.unwrap();
        fill(&pool, 3).await;
        assert!(place.connections().await >= 4, "three and the control connection");
        assert!(pool.close().await.is_clean());
        eventually("all connections are closed", || async { place.connections().await == 0 }).await;
    }

    #[tokio::test]
    async fn a_forgotten_pool_leaves_no_connection() {
        let place = Place::new().await;
        let pool = place.builder(3).connect().await.unwrap();
        fill(&pool, 3).await;
        drop(pool);
        eventually("all connections are closed", || async { place.connections().await == 0 }).await;
    }
}
