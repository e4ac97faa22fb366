use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection, SqlitePool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::in_time;

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
/// As on the servers, and longer: it is never waited for. The comparison is made once, when it starts.
pub const SLOW: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 4000000000) SELECT count(*) FROM c WHERE 'it' <> 'starts' COLLATE slow";
/// The same as an insert of `$1` into `tree`.
pub const SLOW_INSERT: &str = "INSERT INTO tree WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 4000000000) SELECT $1 FROM c WHERE x < 0";
pub const WHICH: &str = "SELECT 1";

pub fn sql(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.to_owned())
}

/// A file of its own.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    pub name: String,
    pub plain: Plain,
    slow: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

place!();

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
        sqlx::raw_sql(super::place::tables("TEXT"))
            .execute(&plain)
            .await
            .unwrap();
        Self {
            url,
            name,
            plain,
            slow: Arc::default(),
            _folder: folder,
        }
    }

    pub fn builder(&self, max: u32) -> steadfast::PoolBuilder<Db> {
        let slow = Arc::clone(&self.slow);
        Pool::builder()
            .primary(&self.url)
            .max_connections(max)
            .after_connect(move |connection| Box::pin(announce(connection, Arc::clone(&slow))))
    }

    /// Whether somebody holds the write lock: 1 or 0.
    pub async fn open_transactions(&self) -> i64 {
        i64::from(self.refuses_writer(Duration::ZERO).await)
    }

    /// Waits until a writer beside the pools has been refused for much longer than a connection of ours waits
    /// by itself: whoever still waits has been refused before, and has asked again.
    pub async fn refuses_writers(&self) {
        assert!(self.refuses_writer(MUCH_LONGER).await);
    }

    async fn refuses_writer(&self, patience: Duration) -> bool {
        let options: SqliteConnectOptions = self.url.parse().unwrap();
        let mut probe = options.busy_timeout(patience).connect().await.unwrap();
        let taken = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK");
        taken.execute(&mut probe).await.is_err()
    }

    /// Connections that pools of this process have open, the plain one's aside: each has a thread of its own. Not those
    /// of this place alone, and not the handles of its file, which SQLite keeps for the next connection.
    pub async fn connections(&self) -> i64 {
        let names = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            names.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let workers = names.filter(|name| name.starts_with("sqlx-sqlite"));
        workers.count() as i64 - i64::from(self.plain.size())
    }

    /// Whether a slow statement was started since this was last asked. Nobody sees from outside what a statement
    /// of this process does: it says so itself.
    pub async fn runs_slow(&self) -> bool {
        self.slow.swap(false, Ordering::Relaxed)
    }

    /// Lets a connection beside the place's own pools run `SLOW`.
    pub async fn listen_to(&self, connection: &mut SqliteConnection) {
        announce(connection, Arc::clone(&self.slow)).await.unwrap();
    }
}

/// Than the 25 ms that a connection of ours waits by itself.
const MUCH_LONGER: Duration = Duration::from_millis(150);

/// Without WAL: waits until a COMMIT has kept a reader out for that long. It does so from the moment on at which it
/// meets a reader that is in already.
pub async fn refuses_readers(reader: &mut SqliteConnection) {
    let patience = format!("PRAGMA busy_timeout = {}", MUCH_LONGER.as_millis());
    sqlx::query(sql(&patience))
        .execute(&mut *reader)
        .await
        .unwrap();
    let refused = in_time(async {
        loop {
            if let Err(error) = sqlx::query("SELECT * FROM notes")
                .execute(&mut *reader)
                .await
            {
                break error;
            }
        }
    });
    let refused = refused.await.to_string();
    assert!(refused.contains("locked"), "{refused}");
}

async fn announce(connection: &mut SqliteConnection, slow: Arc<AtomicBool>) -> sqlx::Result<()> {
    let mut handle = connection.lock_handle().await?;
    handle.create_collation("slow", move |one, other| {
        slow.store(true, Ordering::Relaxed);
        one.cmp(other)
    })
}
