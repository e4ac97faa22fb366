use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

pub type Db = sqlx::Postgres;
pub type Session = steadfast::PgSession;
pub type Pool = steadfast::PgSessionPool;
pub type Plain = PgPool;
pub type Connection = PgConnection;
pub const NAME: &str = "postgres";
/// Whether a statement that failed, or was dropped, leaves the rest of its level refused.
pub const ERROR_DOOMS: bool = true;
pub const DROP_DOOMS_SESSION: bool = false;
/// Whether a write that is stopped takes the whole transaction with it.
pub const STOPPED_WRITE_DOOMS_SESSION: bool = false;
/// A statement that takes 30 seconds.
pub const SLOW: &str = "SELECT pg_sleep(30)";
/// The same as an insert of `$1` into `tree`.
pub const SLOW_INSERT: &str = "INSERT INTO tree SELECT $1 FROM pg_sleep(30)";

/// The server's id of the connection that answers.
pub const WHICH: &str = "SELECT pg_backend_pid()::bigint";

/// SQL in the words of this database.
pub fn sql(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.to_owned())
}

/// A schema of its own.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    pub name: String,
    pub plain: Plain,
}

server_place!("TEST_POSTGRES_URL");

impl Place {
    /// On a server of the test's own.
    pub async fn on(server: &str) -> Self {
        let name = format!("t{:016x}", fastrand::u64(..));
        let mut admin = PgConnection::connect(server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE SCHEMA {name}; CREATE ROLE {name} SUPERUSER LOGIN"
        )))
        .execute(&mut admin)
        .await
        .unwrap();
        admin.close().await.unwrap();
        // A user of its own: how others tell this place's connections from theirs, whatever names sessions give
        // themselves.
        let (scheme, rest) = server.split_once("://").unwrap();
        let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
        let url = format!("{scheme}://{name}@{rest}?options[search_path]={name}");
        let plain_url = format!("{server}?application_name=plain&options[search_path]={name}");
        let plain = sqlx::postgres::PgPoolOptions::new()
            .max_connections(3)
            .connect(&plain_url)
            .await
            .unwrap();
        sqlx::raw_sql(super::place::tables("TEXT"))
            .execute(&plain)
            .await
            .unwrap();
        Self { url, name, plain }
    }

    /// Transactions that connections of this place have open on the server.
    pub async fn open_transactions(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND xact_start IS NOT NULL",
        )
        .bind(&self.name)
        .fetch_one(&self.plain)
        .await
        .unwrap()
    }

    /// Whether the server runs a slow statement for this place.
    ///
    /// By what it waits for: a statement that is only parsed is active too.
    pub async fn runs_slow(&self) -> bool {
        sqlx::query_scalar(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = $1 AND wait_event = 'PgSleep'",
        )
        .bind(&self.name)
        .fetch_one(&self.plain)
        .await
        .unwrap()
    }

    /// Cancels the slow statement of this place from outside.
    pub async fn cancel_slow(&self) {
        let cancelled: i64 = sqlx::query_scalar(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = $1 AND query LIKE '%pg_sleep%'",
        )
        .bind(&self.name)
        .fetch_one(&self.plain)
        .await
        .unwrap();
        assert!(cancelled > 0);
    }

    /// A user who may log in and do nothing else, and the password.
    pub async fn user(&self) -> (String, String) {
        let (user, password) = (
            format!("u{}", self.name),
            format!("canary{:016x}", fastrand::u64(..)),
        );
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE ROLE {user} LOGIN PASSWORD '{password}'; GRANT USAGE ON SCHEMA {} TO {user}",
            self.name
        )))
        .execute(&self.plain)
        .await
        .unwrap();
        (user, password)
    }

    /// Connections that this place's pools have open on the server.
    pub async fn connections(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
            .bind(&self.name)
            .fetch_one(&self.plain)
            .await
            .unwrap()
    }

    /// Ends connections from outside, and waits until they are gone.
    pub async fn kill(&self, ids: &[i64]) {
        for id in ids {
            let done: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1::int, 5000)")
                .bind(id)
                .fetch_one(&self.plain)
                .await
                .unwrap();
            assert!(done, "connection {id} was there");
        }
    }

    /// The same for all that this place's pools have open.
    pub async fn kill_all(&self) {
        let killed: i64 = sqlx::query_scalar("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = $1")
            .bind(&self.name)
            .fetch_one(&self.plain)
            .await
            .unwrap();
        assert!(killed > 0);
    }
}

/// Waits until the connection of this id waits for a lock.
pub async fn is_blocked(plain: &Plain, id: i64) {
    super::eventually("the other transaction waits for a lock", || async {
        sqlx::query_scalar::<_, bool>("SELECT cardinality(pg_blocking_pids($1::int)) > 0")
            .bind(id)
            .fetch_one(plain)
            .await
            .unwrap()
    })
    .await;
}
