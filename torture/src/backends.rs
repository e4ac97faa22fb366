//! The server's side of connections, and how it is taken from under the calls that use it.

use sqlx::{AssertSqlSafe, MySql, Pool, Postgres};
use steadfast_tests::support::private::{Private, Server};

/// A database whose backends can be ended one by one.
pub(crate) trait Backends: Private + Sized {
    /// Those that serve the place of this name and are in the midst of something.
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>>;

    /// Ends one of them in the database's own way. Whether it was there.
    async fn end(plain: &Pool<Self>, id: i64) -> bool;

    /// Ends one of them as hard as can be. Whether it was there.
    async fn kill(server: &Server<Self>, plain: &Pool<Self>, id: i64) -> bool;
}

impl Backends for Postgres {
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "SELECT pid::bigint FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'",
        )
        .bind(place)
        .fetch_all(plain)
        .await
    }

    async fn end(plain: &Pool<Self>, id: i64) -> bool {
        let ended = sqlx::query_scalar("SELECT pg_terminate_backend($1::int)").bind(id);
        ended.fetch_one(plain).await.unwrap_or_default()
    }

    /// `kill -9`. The server throws out everybody else then, and recovers.
    async fn kill(server: &Server<Self>, _plain: &Pool<Self>, id: i64) -> bool {
        u32::try_from(id).is_ok_and(|pid| server.kill_backend(pid).is_ok())
    }
}

impl Backends for MySql {
    /// A connection in a transaction is asleep between two statements; so is an idle one, which is never ended.
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist
             WHERE db = ? AND id <> CONNECTION_ID() AND command <> 'Sleep'",
        )
        .bind(place)
        .fetch_all(plain)
        .await
    }

    async fn end(plain: &Pool<Self>, id: i64) -> bool {
        let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL CONNECTION {id}")));
        kill.execute(plain).await.is_ok()
    }

    /// Its backends are threads, which nobody can kill from outside.
    async fn kill(_server: &Server<Self>, plain: &Pool<Self>, id: i64) -> bool {
        Self::end(plain, id).await
    }
}
