//! The connection over which cancels are sent: it is there when one is needed.

use std::time::{Duration, Instant};

use sqlx::Executor as _;
use steadfast::{Error, with_session};

use crate::support::{drop_when, eventually, private, quiet};

const TICK: Duration = Duration::from_millis(400);

/// The answer to a cancel does not come, and it is given up.
mod of_servers {
    each_server! {
        use std::time::Duration;
        use steadfast::{Error, with_session};
        use xtask::proxy::Proxy;
        use crate::support::quiet;

        #[with_session]
        async fn waits(session: &mut Session) -> Result<(), Error> {
            sqlx::query(SLOW).execute(session).await?;
            Ok(())
        }

        /// A server that falls silent again answers nobody who only comes then.
        #[tokio::test]
        async fn lost_in_a_silence_it_is_back_with_the_next_connection() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).keepalive(Duration::from_hours(1));
            let pool = pool.connect().await.unwrap();
            for round in 1..=2 {
                let call = tokio::spawn({
                    let pool = pool.clone();
                    async move { waits(&pool).await }
                });
                place.slow_is_running().await;
                proxy.hold();
                call.abort();
                quiet(&pool).await;
                proxy.resume();
                sqlx::query(WHICH).fetch_one(&pool).await.unwrap();
                assert_eq!(pool.stats().opened, 1 + round, "the former one is closed");
                eventually("it is back, and all else gone", || async { place.connections().await == 2 }).await;
            }
        }
    }
}

/// On PostgreSQL it is ended by its server, and nobody needs it for now.
mod postgres {
    use super::*;
    use crate::support::postgres::*;

    /// A pool, and its control connection, ended by the server.
    async fn ended(keepalive: Duration) -> (Place, Pool, i64) {
        let place = Place::new().await;
        let pool = place
            .builder(1)
            .keepalive(keepalive)
            .connect()
            .await
            .unwrap();
        let session: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        let open: Vec<i64> = sqlx::query_scalar(
            "SELECT pid::bigint FROM pg_stat_activity WHERE usename = $1 AND pid <> $2::int",
        )
        .bind(&place.name)
        .bind(session)
        .fetch_all(&place.plain)
        .await
        .unwrap();
        let [control] = open[..] else {
            panic!("one beside {session}: {open:?}")
        };
        place.kill(&[control]).await;
        assert_eq!(place.connections().await, 1, "it is gone");
        (place, pool, session)
    }

    #[tokio::test]
    async fn postgres_ended_by_its_server_it_is_back_by_itself() {
        let (place, pool, _) = ended(TICK).await;
        eventually("it is back", || async { place.connections().await == 2 }).await;
        assert_eq!(pool.stats().opened, 1, "it is no session's");
    }

    #[with_session]
    async fn waits(session: &mut Session) -> Result<(), Error> {
        sqlx::query(SLOW).execute(session).await?;
        Ok(())
    }

    /// What the server says of that end is no answer to the cancel: it is sent again, over a fresh connection.
    #[tokio::test]
    async fn postgres_ended_by_its_server_it_still_ends_a_dropped_statement() {
        let (place, pool, session) = ended(Duration::from_secs(600)).await;
        drop_when(
            eventually("it runs", || async { place.runs_slow().await }),
            waits(&pool),
        )
        .await;
        let which: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        assert_eq!(which, session, "the connection was stopped, not closed");
        assert!(!place.runs_slow().await);
    }
}

/// On MariaDB as well; then the server is full, and it is needed.
mod mysql {
    use sqlx::Connection as _;
    use sqlx::mysql::MySqlDatabaseError;

    use super::*;
    use crate::support::mysql::*;

    #[with_session]
    async fn waits(session: &mut Session) -> Result<(), Error> {
        session
            .execute("INSERT INTO notes (id, body) VALUES (1, 'waits')")
            .await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    async fn others(place: &Place, session: i64) -> Vec<i64> {
        sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ? AND id NOT IN (?, CONNECTION_ID())",
        )
        .bind(&place.name)
        .bind(session)
        .fetch_all(&place.plain)
        .await
        .unwrap()
    }

    async fn slow_statements(place: &Place) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()",
        )
        .fetch_one(&place.plain)
        .await
        .unwrap()
    }

    /// Takes every connection that is left; the superuser's is one more.
    async fn fill(place: &Place) -> Vec<Connection> {
        let mut taken = Vec::new();
        loop {
            match Connection::connect(&place.url).await {
                Ok(connection) => taken.push(connection),
                Err(error) => {
                    let full = error
                        .as_database_error()
                        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
                        .map(MySqlDatabaseError::number);
                    assert_eq!(full, Some(1040), "{error}");
                    return taken;
                }
            }
        }
    }

    #[tokio::test]
    async fn mysql_killed_and_the_server_full_it_still_ends_a_dropped_statement_at_once() {
        let server = private::start_with::<Db>(&[("max-connections", "12")]).await;
        let mut place = Place::on(&server.url()).await;
        // One connection of its own, so that all others are the pool's.
        place.plain.close().await;
        place.plain = sqlx::mysql::MySqlPoolOptions::new()
            .max_connections(1)
            .connect(&place.url)
            .await
            .unwrap();
        let pool = place.builder(2).keepalive(TICK).connect().await.unwrap();
        let session: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        let control = others(&place, session).await;
        assert_eq!(control.len(), 1, "{control:?}");
        place.kill(&control).await;
        assert!(others(&place, session).await.is_empty(), "it is gone");
        eventually("it is back", || async {
            others(&place, session).await.len() == 1
        })
        .await;

        let call = tokio::spawn({
            let pool = pool.clone();
            async move { waits(&pool).await }
        });
        place.slow_is_running().await;
        let full = fill(&place).await;
        assert_eq!(slow_statements(&place).await, 1);
        let began = Instant::now();
        call.abort();
        quiet(&pool).await;
        eventually("the statement has ended", || async {
            slow_statements(&place).await == 0
        })
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        drop(full);
        assert_eq!(
            pool.stats().opened,
            1,
            "stopped, and the same connection serves on"
        );
        assert_eq!(place.count("notes").await, 0);
    }

    /// What tells two servers apart must stay the same for one: `UUID_SHORT()` begins with the second in which the
    /// server began, and draws on it after 2^24 calls.
    #[tokio::test]
    async fn mysql_it_ends_a_statement_also_when_its_server_has_drawn_many_numbers() {
        let server = private::start::<Db>().await;
        let place = Place::on(&server.url()).await;
        let pool = place.pool(2).await;
        let mut held = pool.begin().await.unwrap();
        held.execute("INSERT INTO notes (id, body) VALUES (2, 'held')")
            .await
            .unwrap();
        let prefix = "SELECT CAST(UUID_SHORT() >> 24 AS CHAR)";
        let before: String = sqlx::query_scalar(prefix)
            .fetch_one(&place.plain)
            .await
            .unwrap();
        place
            .plain
            .execute("DO BENCHMARK(17000000, UUID_SHORT())")
            .await
            .unwrap();
        let after: String = sqlx::query_scalar(prefix)
            .fetch_one(&place.plain)
            .await
            .unwrap();
        assert_ne!(before, after, "it has drawn on it");

        // On a connection that is opened only now.
        let call = tokio::spawn({
            let pool = pool.clone();
            async move { waits(&pool).await }
        });
        place.slow_is_running().await;
        let began = Instant::now();
        call.abort();
        eventually("the statement has ended", || async {
            slow_statements(&place).await == 0
        })
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        held.commit().await.unwrap();
        quiet(&pool).await;
        assert_eq!(
            (pool.stats().opened, pool.stats().idle),
            (2, 2),
            "stopped, and both serve on"
        );
        assert_eq!(place.count("notes").await, 1);
    }
}
