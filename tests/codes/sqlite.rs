//! SQLite.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use steadfast::__private::codes;
use steadfast::Category::{
    Cancelled, CommitUnknown, Conflict, Data, Programming, ReadOnly, Resource,
};
use steadfast::Integrity::{Check, ForeignKey, NotNull, Unique};
use steadfast::{Error, Outcome, Phase, with_session};

use super::Provoked::{By, When};
use super::{Row, assert_complete, integrity, print, provoke, refused, row, unconnected};
use crate::support::sqlite::{Pool, Session};

/// A file without WAL: it is busy more often, and all its pages are in one place.
struct Stage {
    folder: tempfile::TempDir,
    plain: SqlitePool,
    pool: Pool,
}

#[rustfmt::skip]
const ROWS: &[Row<Stage>] = &[
    row("1", "SQLITE_ERROR", By(&["SELEKT 1"]), refused(Programming)),
    row("5", "SQLITE_BUSY", When("a read while another holds the file exclusively", |stage| Box::pin(held(stage))),
        refused(Conflict).at(Phase::Begin).retryable()),
    row("5", "SQLITE_BUSY", When("COMMIT while another reads the file for longer than one may wait", |stage| Box::pin(read_by_another(stage))),
        refused(Conflict).at(Phase::Commit).retryable()),
    row("6", "SQLITE_LOCKED", By(&["PRAGMA wal_checkpoint"]), refused(Programming)),
    row("8", "SQLITE_READONLY", When("a write in a session with `read_only`", |stage| Box::pin(write_in_read_only(stage))), refused(Programming)),
    row("8", "SQLITE_READONLY", When("a write in a file opened with `mode=ro`", |stage| Box::pin(write_to_read_only_file(stage))), refused(ReadOnly)),
    row("9", "SQLITE_INTERRUPT", When("a progress handler of the user's that stops a statement", |stage| Box::pin(stopped(stage))), refused(Cancelled).outcome(Outcome::NotSent)),
    row("11", "SQLITE_CORRUPT", By(&["SELECT * FROM torn"]), refused(Resource)),
    row("13", "SQLITE_FULL", When("a write beyond `max_page_count`", |stage| Box::pin(full(stage))), refused(Resource)),
    row("14", "SQLITE_CANTOPEN", When("connecting to a file in a folder that does not exist", |stage| Box::pin(open(stage, "nowhere/test.db"))), unconnected(Resource)),
    row("18", "SQLITE_TOOBIG", By(&["SELECT zeroblob(2000000000)"]), refused(Data)),
    row("19", "SQLITE_CONSTRAINT", By(&["INSERT INTO boxes VALUES (1, 5, 1)"]), integrity(Check)),
    row("20", "SQLITE_MISMATCH", By(&["INSERT INTO parents VALUES ('three', 0)"]), refused(Data)),
    row("26", "SQLITE_NOTADB", When("reading a file that is none of SQLite's", |stage| Box::pin(open(stage, "text.db"))), refused(Resource).at(Phase::Begin)),
    row("275", "SQLITE_CONSTRAINT_CHECK", By(&["INSERT INTO children VALUES (2, 1, -1)"]), integrity(Check)),
    row("517", "SQLITE_BUSY_SNAPSHOT", When("a write behind a read that another has overtaken, in WAL mode", |stage| Box::pin(overtaken(stage))), refused(Conflict).retryable()),
    row("531", "SQLITE_CONSTRAINT_COMMITHOOK", When("a COMMIT on the lent connection, which the hook of ours refuses", |stage| Box::pin(hooked(stage))), refused(Programming)),
    row("787", "SQLITE_CONSTRAINT_FOREIGNKEY", By(&["INSERT INTO children VALUES (2, 9, 0)"]), integrity(ForeignKey)),
    row("787", "SQLITE_CONSTRAINT_FOREIGNKEY, deferred", By(&["PRAGMA defer_foreign_keys = 1", "INSERT INTO children VALUES (2, 9, 0)"]), integrity(ForeignKey).at(Phase::Commit)),
    row("1299", "SQLITE_CONSTRAINT_NOTNULL", By(&["INSERT INTO children VALUES (2, 1, NULL)"]), integrity(NotNull)),
    row("1555", "SQLITE_CONSTRAINT_PRIMARYKEY", By(&["INSERT INTO children VALUES (1, 1, 0)"]), integrity(Unique)),
    row("1811", "SQLITE_CONSTRAINT_TRIGGER", By(&["INSERT INTO guarded VALUES (1)"]), integrity(Check)),
    row("2067", "SQLITE_CONSTRAINT_UNIQUE", By(&["INSERT INTO names VALUES ('Ada')"]), integrity(Unique)),
    row("2570", "SQLITE_IOERR_DELETE", When("COMMIT whose journal cannot be removed", |stage| Box::pin(journal_that_stays(stage))),
        refused(CommitUnknown).at(Phase::Commit).outcome(Outcome::Unknown).kept(1)).by_line("10"),
    row("2579", "SQLITE_CONSTRAINT_ROWID", By(&["INSERT INTO guarded (rowid) VALUES (0)"]), integrity(Unique)),
    row("3091", "SQLITE_CONSTRAINT_DATATYPE", By(&["INSERT INTO typed VALUES ('one')"]), refused(Data)),
];

/// In a process of their own: the limit is the whole process's.
#[rustfmt::skip]
const ALONE: &[Row<Stage>] = &[
    row("7", "SQLITE_NOMEM", By(&["PRAGMA hard_heap_limit = 4000000", "SELECT zeroblob(8000000)"]), refused(Resource)),
];

#[rustfmt::skip]
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("2", "a fault in SQLite itself"),
    ("3", "needs a file system that forbids locks"),
    ("4", "a callback of `sqlite3_exec`, which the driver does not use"),
    ("12", "file controls, which the driver does not use"),
    ("15", "many lost races for the locks of the WAL, one after the other"),
    ("17", "SQLite prepares the statement again by itself"),
    ("21", "the driver does not misuse the library"),
    ("22", "needs a platform without large files"),
    ("23", "needs an authorizer, which the driver cannot set"),
    ("25", "the driver counts the parameters before it binds them"),
    ("261", "the moment in which another process recovers the WAL"),
    ("262", "a session holds the schema's lock from BEGIN on, and the driver itself waits for those of tables"),
    ("516", "needs two statements at once in one session"),
    ("518", "virtual tables in a shared cache"),
    ("773", "a build with SQLITE_ENABLE_SETLK_TIMEOUT, which the bundled one is not"),
    ("2323", "virtual tables of applications; those of SQLite answer 19"),
    ("2835", "the pre-update hook and a trigger that deletes the row which is updated"),
];

const SCHEMA: &str = "
    CREATE TABLE work (n BIGINT);
    CREATE TABLE parents (id INTEGER PRIMARY KEY, n INT);
    INSERT INTO parents VALUES (1, 0), (2, 0);
    CREATE TABLE children (id INT PRIMARY KEY, parent INT REFERENCES parents (id), age INT NOT NULL CHECK (age >= 0));
    INSERT INTO children VALUES (1, 1, 0);
    CREATE TABLE names (name TEXT UNIQUE);
    INSERT INTO names VALUES ('Ada');
    CREATE TABLE typed (n INTEGER) STRICT;
    CREATE TABLE guarded (n INT);
    INSERT INTO guarded (rowid) VALUES (0);
    CREATE TRIGGER guards BEFORE INSERT ON guarded WHEN NEW.n = 1 BEGIN SELECT RAISE(ABORT, 'no'); END;
    CREATE VIRTUAL TABLE boxes USING rtree (id, low, high);
    CREATE TABLE torn (n INT);
    INSERT INTO torn VALUES (1);
";

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        let options = SqliteConnectOptions::new().filename(&file);
        let mut first = options
            .clone()
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        first.execute(SCHEMA).await.unwrap();
        let (page, size): (i64, i64) = sqlx::query_as(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'torn'",
        )
        .fetch_one(&mut first)
        .await
        .unwrap();
        first.close().await.unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let page = (page as usize - 1) * size as usize;
        bytes[page..page + size as usize].fill(b'x');
        std::fs::write(&file, bytes).unwrap();
        std::fs::write(folder.path().join("text.db"), "not a database ".repeat(100)).unwrap();
        let pool = Pool::builder()
            .primary_with(options.clone())
            .max_connections(1)
            .connect()
            .await
            .unwrap();
        Self {
            folder,
            plain: SqlitePool::connect_with(options).await.unwrap(),
            pool,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.path("test.db"))
    }

    fn builder(&self) -> steadfast::PoolBuilder<sqlx::Sqlite> {
        Pool::builder()
            .primary_with(self.options())
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(100))
    }

    async fn connection(&self) -> SqliteConnection {
        self.options().connect().await.unwrap()
    }
}

impl super::Stage for Stage {
    fn run<'a>(&'a self, statements: &'a [&'static str]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(work(&self.pool, statements))
    }

    fn kept(&self) -> BoxFuture<'_, i64> {
        Box::pin(async {
            // Waits for whoever holds the file.
            let removed = sqlx::query("DELETE FROM work").execute(&self.plain);
            removed.await.unwrap().rows_affected() as i64
        })
    }
}

steps!();

#[with_session(read_only)]
async fn read(session: &mut Session, statements: &[&'static str]) -> Result<(), Error> {
    for statement in statements {
        sqlx::query(*statement).fetch_all(&mut *session).await?;
    }
    Ok(())
}

async fn write_in_read_only(stage: &Stage) -> Result<(), Error> {
    read(&stage.pool, &["INSERT INTO work VALUES (1)"]).await
}

async fn write_to_read_only_file(stage: &Stage) -> Result<(), Error> {
    let pool = Pool::builder()
        .primary_with(stage.options().read_only(true))
        .connect()
        .await?;
    work(&pool, &[]).await
}

#[with_session(lock_timeout = "100ms")]
async fn soon(session: &mut Session) -> Result<(), Error> {
    all(session, &[]).await
}

/// Opens a session, then lets another connection go ahead, then reads.
#[with_session(read_only, lock_timeout = "100ms")]
async fn reads_soon(session: &mut Session) -> Result<(), Error> {
    sqlx::query("SELECT * FROM parents")
        .fetch_all(&mut *session)
        .await?;
    Ok(())
}

async fn held(stage: &Stage) -> Result<(), Error> {
    let mut other = stage.connection().await;
    other.execute("BEGIN EXCLUSIVE").await?;
    let result = reads_soon(&stage.pool).await;
    other.execute("ROLLBACK").await?;
    result
}

async fn read_by_another(stage: &Stage) -> Result<(), Error> {
    let mut reader = stage.connection().await;
    reader.execute("BEGIN; SELECT * FROM parents").await?;
    let result = soon(&stage.pool).await;
    reader.execute("ROLLBACK").await?;
    result
}

async fn stopped(stage: &Stage) -> Result<(), Error> {
    stopped_in_the_middle(&stage.builder().connect().await?).await
}

#[with_session]
async fn stopped_in_the_middle(session: &mut Session) -> Result<(), Error> {
    all(session, &[]).await?;
    let connection = session.raw().await?;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(1, || false);
    connection.execute("SELECT * FROM parents").await?;
    Ok(())
}

async fn full(stage: &Stage) -> Result<(), Error> {
    let fill = "INSERT INTO work SELECT zeroblob(10000) FROM (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100) SELECT n FROM c)";
    let pool = stage.builder().connect().await?;
    work(&pool, &["PRAGMA max_page_count = 1", fill]).await
}

async fn open(stage: &Stage, name: &str) -> Result<(), Error> {
    let options = SqliteConnectOptions::new().filename(stage.path(name));
    let pool = Pool::builder().primary_with(options).connect().await?;
    read(&pool, &["SELECT * FROM parents"]).await
}

/// A write session begins IMMEDIATE and cannot be overtaken; one that reads can, and here its guard is taken off.
async fn overtaken(stage: &Stage) -> Result<(), Error> {
    let options = SqliteConnectOptions::new()
        .filename(stage.path("wal.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let mut plain = options.connect().await?;
    plain.execute(SCHEMA).await?;
    let pool = Pool::builder().primary_with(options).connect().await?;
    let result = reads_then_writes(&pool, &mut plain).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM work")
        .fetch_one(&mut plain)
        .await?;
    assert_eq!(kept, 0);
    result
}

#[with_session(read_only)]
async fn reads_then_writes(
    session: &mut Session,
    plain: &mut SqliteConnection,
) -> Result<(), Error> {
    let connection = session.raw().await?;
    connection.execute("PRAGMA query_only = 0").await?;
    sqlx::query("SELECT * FROM parents")
        .fetch_all(&mut *session)
        .await?;
    plain.execute("UPDATE parents SET n = n + 1").await?;
    all(session, &[]).await
}

async fn hooked(stage: &Stage) -> Result<(), Error> {
    commits_by_itself(&stage.builder().connect().await?).await
}

#[with_session]
async fn commits_by_itself(session: &mut Session) -> Result<(), Error> {
    all(session, &[]).await?;
    session.raw().await?.execute("COMMIT").await?;
    Ok(())
}

/// In place of its journal SQLite finds a folder, once all is written and the commit is only to be sealed.
#[with_session]
async fn misplaces(session: &mut Session, journal: std::path::PathBuf) -> Result<(), Error> {
    all(session, &[]).await?;
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    Ok(())
}

async fn journal_that_stays(stage: &Stage) -> Result<(), Error> {
    let journal = stage.path("test.db-journal");
    let pool = stage.builder().connect().await?;
    let result = misplaces(&pool, journal.clone()).await;
    pool.close().await;
    std::fs::remove_dir(journal).unwrap();
    result
}

#[tokio::test]
async fn each_code_is_provoked() {
    provoke(&Stage::new().await, ROWS, &[]).await;
    print("sqlite", &[ROWS, ALONE], NOT_PROVOKED);
}

/// Marks the process that is started for it.
const ALONE_IN_PROCESS: &str = "STEADFAST_ALONE_IN_PROCESS";

#[tokio::test]
async fn each_code_is_provoked_in_a_process_of_its_own() {
    if std::env::var_os(ALONE_IN_PROCESS).is_some() {
        provoke(&Stage::new().await, ALONE, &[]).await;
        return;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            &format!("{module}::each_code_is_provoked_in_a_process_of_its_own"),
            "--exact",
        ])
        .env(ALONE_IN_PROCESS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
fn each_line_is_provoked_or_has_a_reason() {
    assert_complete(codes::sqlite(), &[ROWS, ALONE], NOT_PROVOKED, 12);
}
