//! How a connection is taken from under the call that uses it.

use sqlx::{AssertSqlSafe, MySql, Pool, Postgres};
use steadfast_tests::support::private::{Private, Server};

/// A database whose backends can be ended one by one.
pub(super) trait Strike: Private + Sized {
    /// The backends that serve the place of this name and are in the midst of something.
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>>;

    /// Ends one of them, as hard as can be. Whether it was there.
    async fn strike(server: &Server<Self>, plain: &Pool<Self>, id: i64) -> bool;
}

impl Strike for Postgres {
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "SELECT pid::bigint FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'",
        )
        .bind(place)
        .fetch_all(plain)
        .await
    }

    /// `kill -9`. The server throws out everybody else then, and recovers.
    async fn strike(server: &Server<Self>, _plain: &Pool<Self>, id: i64) -> bool {
        u32::try_from(id).is_ok_and(|pid| server.kill_backend(pid).is_ok())
    }
}

impl Strike for MySql {
    /// A connection in a transaction is asleep between two statements; so is an idle one, which is never struck.
    async fn busy(plain: &Pool<Self>, place: &str) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist
             WHERE db = ? AND id <> CONNECTION_ID() AND command <> 'Sleep'",
        )
        .bind(place)
        .fetch_all(plain)
        .await
    }

    /// Its backends are threads, which nobody can kill from outside.
    async fn strike(_server: &Server<Self>, plain: &Pool<Self>, id: i64) -> bool {
        let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL CONNECTION {id}")));
        kill.execute(plain).await.is_ok()
    }
}
