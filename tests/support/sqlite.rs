use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};
use std::time::Duration;

pub type Db = sqlx::Sqlite;
pub type Session = steadfast::SqliteSession;
pub type Pool = steadfast::SqliteSessionPool;
pub type Plain = SqlitePool;
pub type Connection = SqliteConnection;
pub const NAME: &str = "sqlite";
pub const ERROR_DOOMS: bool = false;
pub const DROP_DOOMS_SESSION: bool = false;
/// Whether a write that is stopped takes the whole transaction with it.
pub const STOPPED_WRITE_DOOMS_SESSION: bool = true;
pub const SLOW: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 400000000) SELECT count(*) FROM c";
/// The same as an insert of `$1` into `tree`.
pub const SLOW_INSERT: &str = "INSERT INTO tree WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 400000000) SELECT $1 FROM c WHERE x < 0";
pub const WHICH: &str = "SELECT 1";

pub fn sql(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.to_owned())
}

/// A file of its own.
pub struct Place {
    pub url: String,
    pub name: String,
    pub plain: Plain,
    _folder: tempfile::TempDir,
}

impl Place {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let name = path.display().to_string();
        let url = format!("sqlite://{name}?mode=rwc");
        let options: SqliteConnectOptions = url.parse().unwrap();
        let options = options
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(10));
        let plain = SqlitePoolOptions::new()
            .max_connections(3)
            .connect_with(options)
            .await
            .unwrap();
        sqlx::raw_sql(
            "CREATE TABLE accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL CHECK (cents >= 0));
             INSERT INTO accounts VALUES (0,1000),(1,1000),(2,1000),(3,1000),(4,1000),(5,1000),(6,1000),(7,1000),(8,1000),(9,1000);
             CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL UNIQUE);",
        )
        .execute(&plain)
        .await
        .unwrap();
        Self {
            url,
            name,
            plain,
            _folder: folder,
        }
    }

    pub async fn pool(&self, max: u32) -> Pool {
        self.builder(max).connect().await.unwrap()
    }

    pub fn builder(&self, max: u32) -> steadfast::PoolBuilder<Db> {
        Pool::builder().primary(&self.url).max_connections(max)
    }

    /// Whether somebody holds the write lock: 1 or 0.
    pub async fn open_transactions(&self) -> i64 {
        let options: SqliteConnectOptions = self.url.parse().unwrap();
        let mut probe = sqlx::ConnectOptions::connect(&options.busy_timeout(Duration::ZERO))
            .await
            .unwrap();
        let taken = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK")
            .execute(&mut probe)
            .await
            .is_err();
        i64::from(taken)
    }

    pub async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&self.plain)
            .await
            .unwrap()
    }

    pub async fn cents(&self, id: i64) -> i64 {
        sqlx::query_scalar("SELECT cents FROM accounts WHERE id = $1")
            .bind(id)
            .fetch_one(&self.plain)
            .await
            .unwrap()
    }

    pub async fn total(&self) -> i64 {
        sqlx::query_scalar("SELECT sum(cents) FROM accounts")
            .fetch_one(&self.plain)
            .await
            .unwrap()
    }
}

pub async fn slow_is_running(_place: &Place) {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
