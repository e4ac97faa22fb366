//! When connections are opened, checked and closed.

each_database! {
    use std::time::Duration;
    use futures_util::future::join_all;
    use steadfast::{with_session, Error};
    use tokio::sync::Barrier;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    #[with_session]
    async fn touch(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    /// Holds a connection until as many do as the barrier wants.
    #[with_session(read_only)]
    async fn meet(session: &mut Session, others: &Barrier) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        others.wait().await;
        Ok(())
    }

    #[tokio::test]
    async fn idle_connections_are_closed_down_to_the_minimum() {
        let place = Place::new().await;
        let pool = place.builder(4).min_connections(1).idle_timeout(MILLIS(150)).connect().await.unwrap();
        let barrier = Barrier::new(4);
        for result in join_all((0..4).map(|_| meet(&pool, &barrier))).await {
            result.unwrap();
        }
        // Not what there is of them by now: the first may have been idle for long enough.
        assert_eq!(pool.stats().opened, 4);
        eventually("one is left", || async { pool.stats().size == 1 }).await;
        touch(&pool).await.unwrap();
        assert_eq!(pool.stats().size, 1);
    }

    #[tokio::test]
    async fn a_connection_does_not_outlive_its_lifetime() {
        let place = Place::new().await;
        let pool = place.builder(1).max_lifetime(MILLIS(200)).connect().await.unwrap();
        eventually("the first connection was replaced", || async {
            touch(&pool).await.unwrap();
            pool.stats().opened >= 2
        }).await;
        assert_eq!(pool.stats().size, 1);
    }

    #[tokio::test]
    async fn the_minimum_is_opened_and_kept() {
        let place = Place::new().await;
        let pool = place.builder(5).min_connections(3).connect().await.unwrap();
        eventually("three are open", || async { pool.stats().idle == 3 }).await;
        touch(&pool).await.unwrap();
        assert_eq!(pool.stats().opened, 3);
    }

    #[tokio::test]
    async fn idle_connections_are_kept_alive_and_busy_ones_are_not_pinged() {
        let place = Place::new().await;
        // Before it is used, a connection is trusted for an hour: what pings is the keepalive.
        let pool = place.builder(2).ping_after(Duration::from_secs(3600)).keepalive(MILLIS(200)).connect().await.unwrap();
        eventually("the idle connection was pinged", || async { pool.stats().pinged >= 2 }).await;
        assert_eq!((pool.stats().size, pool.stats().opened), (1, 1));

        // No ping is due within the test, however slow the machine is.
        let steady = place.builder(2).ping_after(Duration::from_secs(60)).connect().await.unwrap();
        for _ in 0..50 {
            touch(&steady).await.unwrap();
            sqlx::query("SELECT 1").execute(&steady).await.unwrap();
        }
        assert_eq!((steady.stats().pinged, steady.stats().opened), (0, 1));
    }

    #[tokio::test]
    async fn a_silent_connection_is_pinged_before_it_is_used() {
        let place = Place::new().await;
        let pool = place.builder(1).ping_after(MILLIS(20)).connect().await.unwrap();
        // The silence itself.
        tokio::time::sleep(MILLIS(40)).await;
        touch(&pool).await.unwrap();
        assert_eq!((pool.stats().pinged, pool.stats().opened), (1, 1));
    }

    #[tokio::test]
    async fn a_lazy_pool_connects_with_its_first_session() {
        let place = Place::new().await;
        let pool = place.builder(2).connect_lazy().unwrap();
        assert_eq!((pool.stats().size, pool.stats().opened), (0, 0));
        let session = pool.begin().await.unwrap();
        drop(session);
        assert_eq!(pool.stats().opened, 0, "a session without a statement needs no connection");
        touch(&pool).await.unwrap();
        assert_eq!((pool.stats().size, pool.stats().opened), (1, 1));
    }
}

/// What only one of them has.
mod of_one_kind {
    use sqlx::Executor as _;
    use steadfast::{Error, PgSessionPool, with_session};

    use crate::support::postgres::{Place, Session};

    #[with_session]
    async fn watched(session: &mut Session) -> Result<String, Error> {
        Ok(sqlx::query_scalar("SHOW client_connection_check_interval")
            .fetch_one(&mut *session)
            .await?)
    }

    #[with_session(autocommit)]
    async fn alone(session: &mut Session) -> Result<String, Error> {
        Ok(sqlx::query_scalar("SHOW client_connection_check_interval")
            .fetch_one(&mut *session)
            .await?)
    }

    /// A statement whose client is gone would keep its locks to its end.
    async fn is_watched(pool: &PgSessionPool) {
        let single: String = sqlx::query_scalar("SHOW client_connection_check_interval")
            .fetch_one(pool)
            .await
            .unwrap();
        let doors = [
            watched(pool).await.unwrap(),
            alone(pool).await.unwrap(),
            single,
        ];
        assert_eq!(doors, ["1s"; 3]);
    }

    #[tokio::test]
    async fn postgres_the_server_looks_for_its_client_through_every_door() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        is_watched(&pool).await;
        // Also on a connection that somebody has set back.
        let mut lease = pool.acquire().await.unwrap();
        lease.execute("RESET ALL").await.unwrap();
        pool.release(lease).await.unwrap();
        is_watched(&pool).await;
        for unseen in ["RESET ALL", "SET client_connection_check_interval = 0"] {
            let mut session = pool.begin().await.unwrap();
            session.raw().await.unwrap().execute(unseen).await.unwrap();
            session.commit().await.unwrap();
            is_watched(&pool).await;
        }
        let hidden = "DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '0', false); END $$";
        let mut session = pool.begin().await.unwrap();
        session.execute(hidden).await.unwrap();
        session.commit().await.unwrap();
        watched(&pool).await.unwrap();
        is_watched(&pool).await;
        assert_eq!(pool.stats().opened, 1);
    }
}
