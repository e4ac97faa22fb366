//! SQLite.
//!
//! Write sessions begin IMMEDIATE: a DEFERRED transaction that reads and then writes fails with BUSY as
//! soon as another has written in between, busy timeout or not. Two hooks guard the transaction: the commit
//! hook turns a COMMIT that is not ours into a rollback, the rollback hook tells of rollbacks that are
//! SQLite's own (a full disk, `OR ROLLBACK`, an interrupted write). A progress handler that reads a flag
//! or a clock stops a running statement; it does not end a wait for a lock, so the connection's own busy timeout is
//! short and waiting is done on the async side.

mod flags;
mod likeness;
mod schemas;

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _, Sqlite};

use super::shared::delegate_to_sqlx;
use super::{
    Access, Begin, BoxFuture, Connected, Dialect, Driver, Options, Scrubbed, Statement, Step,
    Suspicion,
};
use flags::Flags;
use likeness::look;
use schemas::Schemas;

/// A busy wait blocks the connection's thread and nothing ends it early.
const BUSY_TIMEOUT: Duration = Duration::from_millis(25);

/// The flags that the connection's hooks read and write, and what sessions have made of it.
#[derive(Clone, Debug)]
pub struct SqliteTag {
    flags: Arc<Flags>,
    /// `None` where it is in doubt.
    query_only: Option<bool>,
    schemas: Schemas,
    /// How long a statement of this session may take.
    statement_timeout: Option<Duration>,
    /// Somebody may have left a transaction open, in autocommit.
    is_suspect: bool,
    /// Whether that was so; seen once, with the rollback.
    meddled: OnceLock<bool>,
    /// What the connection was like when it was lent by hand, where that could be seen.
    lent: Option<String>,
}

impl Driver for Sqlite {
    const SYSTEM: &'static str = "sqlite";
    const DIALECT: Dialect = Dialect::Sqlite;
    const DROP_DOOMS_SESSION: bool = false;
    const COMMITS_SILENTLY: bool = false;
    const TEXT_IS_TRANSACTION: bool = false;
    const LENDS_IN_SAVEPOINT: bool = false;
    const LEAVES_ERRORS: bool = false;
    /// Until it has its key, an encrypted file cannot be read.
    const INTRODUCES_FIRST: bool = false;
    const LOSES_ANSWERS: bool = true;

    type Tag = SqliteTag;

    delegate_to_sqlx!();

    fn parse(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        // A shared cache, which is what sqlx makes of `:memory:`, ignores the busy timeout.
        let address = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let (path, parameters) = address.split_once('?').unwrap_or((address, ""));
        if path.is_empty() {
            // SQLite makes of it a database of its own for each connection, which goes with it.
            return Err(sqlx::Error::Configuration(
                "the URL names no file: write `sqlite://name.db?mode=rwc`, or `sqlite::memory:` for a database in memory"
                    .into(),
            ));
        }
        if path == ":memory:"
            || parameters
                .split('&')
                .any(|parameter| parameter == "mode=memory")
        {
            return Ok(in_memory(SqliteConnectOptions::new()));
        }
        Ok(options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full))
    }

    fn shared(options: SqliteConnectOptions) -> SqliteConnectOptions {
        let name = options.get_filename();
        if name.as_os_str().is_empty() || name == Path::new(":memory:") {
            return in_memory(options);
        }
        options
    }

    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>> {
        Box::pin(async move {
            if options.get_filename().to_str().is_none() {
                let refused = "the name of the file must be valid UTF-8: rename it or its folder";
                return Err(sqlx::Error::Configuration(refused.into()));
            }
            options.clone().busy_timeout(BUSY_TIMEOUT).connect().await
        })
    }

    fn introduce(
        connection: &mut SqliteConnection,
    ) -> BoxFuture<'_, Result<SqliteTag, sqlx::Error>> {
        Box::pin(async move {
            let flags = Arc::new(Flags::new());
            flags.guard(&mut connection.lock_handle().await?);
            let schemas = Schemas::of(connection).await?;
            Ok(SqliteTag {
                flags,
                query_only: Some(false),
                schemas,
                statement_timeout: None,
                is_suspect: false,
                meddled: OnceLock::new(),
                lent: None,
            })
        })
    }

    fn lives_in_memory(options: &Options<Self>) -> bool {
        options
            .get_filename()
            .to_string_lossy()
            .starts_with(IN_MEMORY)
    }

    fn diagnose(options: &Options<Self>, error: &sqlx::Error) -> Option<&'static str> {
        // SQLITE_CANTOPEN, whatever the reason.
        (primary_code(error) == Some(14)).then(|| look_at(options.get_filename()))?
    }

    fn write_gate(options: &Options<Self>) -> Option<String> {
        // Two spellings of one file are one database, also while the file is not there yet.
        let name = options.get_filename();
        let folder = name.parent().and_then(|folder| folder.canonicalize().ok());
        let name = match (name.canonicalize(), folder, name.file_name()) {
            (Ok(name), ..) => name,
            (Err(_), Some(folder), Some(file)) => folder.join(file),
            _ => name.to_path_buf(),
        };
        Some(name.to_string_lossy().into_owned())
    }

    fn first_number(row: &Self::Row) -> Result<i64, sqlx::Error> {
        row.try_get(0)
    }

    fn drain<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c SqliteTag,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(async move {
            // Answered behind whatever still runs; only then is the flag nobody's.
            connection.ping().await?;
            tag.flags.interrupt.store(false, Ordering::Release);
            tag.flags.stop_in(None);
            Ok(None)
        })
    }

    fn prove_clean<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c SqliteTag,
        thorough: bool,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            if thorough {
                Self::drain(connection, tag).await?;
            }
            let was_open = match connection.execute("ROLLBACK").await {
                Ok(_) => true,
                Err(error) if Self::transaction_gone(&error) => false,
                Err(error) => return Err(error),
            };
            if tag.is_suspect {
                let _ = tag.meddled.set(was_open);
            }
            tag.flags.rolled_back.store(false, Ordering::Release);
            tag.flags.commit_permitted.store(true, Ordering::Release);
            Ok(())
        })
    }

    fn inspect<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c mut SqliteTag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            tag.lent = look(connection).await?;
            Ok(())
        })
    }

    fn scrub<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c mut SqliteTag,
    ) -> BoxFuture<'c, Result<Scrubbed, sqlx::Error>> {
        Box::pin(async move {
            let before = tag.lent.take();
            if before.is_none() || look(connection).await? != before {
                return Ok(Scrubbed::InDoubt);
            }
            // Who has the connection can get at its hooks.
            let mut handle = connection.lock_handle().await?;
            handle.remove_update_hook();
            tag.flags.guard(&mut handle);
            Ok(Scrubbed::Reset)
        })
    }

    fn open<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c mut SqliteTag,
        sql: Cow<'static, str>,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            match tag.schemas.refresh(connection, &sql).await {
                // Outside of a transaction; the statement itself will tell.
                Err(error) if sql.is_empty() && Self::is_busy(&error) => {
                    tag.schemas.forget(connection).await
                }
                refreshed => refreshed,
            }
        })
    }

    fn begin(tag: &mut SqliteTag, begin: &Begin) -> Cow<'static, str> {
        tag.schemas.begin(begin.access == Access::Autocommit);
        tag.is_suspect = false;
        tag.meddled = OnceLock::new();
        tag.lent = None;
        tag.statement_timeout = begin.statement_timeout;
        tag.flags.stop_in(None);
        tag.flags.rolled_back.store(false, Ordering::Release);
        tag.flags
            .commit_permitted
            .store(begin.access == Access::Autocommit, Ordering::Release);
        let query_only = begin.access == Access::Read;
        let is_set = tag.query_only.replace(query_only) == Some(query_only);
        Cow::Borrowed(match (begin.access, is_set) {
            (Access::Write, true) => "BEGIN IMMEDIATE",
            (Access::Write, false) => "PRAGMA query_only = 0; BEGIN IMMEDIATE",
            // The read lock is taken where its refusal can be waited out.
            (Access::Read, true) => "BEGIN DEFERRED; SELECT 1 FROM sqlite_schema LIMIT 1",
            (Access::Read, false) => {
                "PRAGMA query_only = 1; BEGIN DEFERRED; SELECT 1 FROM sqlite_schema LIMIT 1"
            }
            (Access::Autocommit, true) => "",
            (Access::Autocommit, false) => "PRAGMA query_only = 0",
        })
    }

    fn commit(_tag: &SqliteTag, _unseen: bool, note: &str) -> Cow<'static, str> {
        if note.is_empty() {
            Cow::Borrowed("COMMIT")
        } else {
            Cow::Owned(format!("{note}COMMIT"))
        }
    }

    fn schema(_tag: &SqliteTag) -> Option<Arc<str>> {
        // A temporary table of that name would come first.
        Some("main".into())
    }

    fn permit_commit(tag: &SqliteTag) {
        tag.flags.commit_permitted.store(true, Ordering::Release);
    }

    fn transaction_gone(error: &sqlx::Error) -> bool {
        // SQLite has no code of its own for this: it answers SQLITE_ERROR with a fixed text.
        matches!(error, sqlx::Error::Database(error)
            if error.message().ends_with("no transaction is active"))
    }

    fn is_busy(error: &sqlx::Error) -> bool {
        // 5 is SQLITE_BUSY, 6 SQLITE_LOCKED. Waiting does not mend 517, SQLITE_BUSY_SNAPSHOT, nor a bare 6, which is
        // the connection's own doing.
        code(error).is_some_and(|code| matches!(code & 0xff, 5 | 6) && !matches!(code, 517 | 6))
    }

    fn again(statement: &Statement<Self>) -> Option<Statement<Self>> {
        statement.copy()
    }

    fn ended_by_itself(tag: &SqliteTag) -> bool {
        tag.flags.rolled_back.load(Ordering::Acquire)
    }

    fn forget_settings(tag: &mut SqliteTag) {
        // A failed batch may have stopped before or behind its PRAGMA.
        tag.query_only = None;
    }

    fn sends(tag: &mut SqliteTag, reshapes: bool) {
        tag.schemas.sends(reshapes);
    }

    fn is_stale(tag: &SqliteTag) -> bool {
        tag.schemas.are_stale()
    }

    fn lends(tag: &mut SqliteTag) {
        Self::forget_settings(tag);
        tag.schemas.lends();
    }

    fn suspect(tag: &mut SqliteTag, suspicion: Option<Suspicion>) {
        // Inside a transaction the hooks see everything.
        tag.is_suspect = suspicion == Some(Suspicion::Opened);
    }

    fn was_meddled_with(tag: &SqliteTag) -> bool {
        tag.meddled.get() == Some(&true)
    }

    fn kept_a_part(tag: &SqliteTag, error: &sqlx::Error) -> bool {
        // `ON CONFLICT FAIL`, of the statement or of the table, keeps what came ahead of the broken constraint. Behind
        // other errors it is the commit itself that was refused.
        primary_code(error) == Some(19) && tag.flags.committed.load(Ordering::Acquire)
    }

    fn was_applied(tag: &SqliteTag, in_parts: bool, _has_answered: bool) -> Option<bool> {
        // The rest of what was dropped tells nothing; the hook has seen whether something was committed.
        match tag.flags.committed.load(Ordering::Acquire) {
            true if in_parts => None,
            committed => Some(committed),
        }
    }

    fn starts(tag: &SqliteTag) {
        tag.flags.committed.store(false, Ordering::Release);
        if tag.statement_timeout.is_some() {
            tag.flags.stop_in(tag.statement_timeout);
        }
    }

    fn ends(tag: &SqliteTag) -> bool {
        let overran = tag.flags.overran.load(Ordering::Acquire);
        if tag.statement_timeout.is_some() {
            tag.flags.stop_in(None);
        }
        overran
    }

    fn interrupt(tag: &SqliteTag) {
        tag.flags.interrupt.store(true, Ordering::Release);
    }

    fn cancel(_tag: &SqliteTag) -> Option<String> {
        None
    }

    fn terminate(_tag: &SqliteTag) -> Option<String> {
        None
    }
}

fn code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    error.code()?.parse().ok()
}

/// The low byte of the extended code.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    code(error).map(|code| code & 0xff)
}

/// What is wrong with a file that cannot be opened, and what to do.
fn look_at(name: &Path) -> Option<&'static str> {
    if name.to_string_lossy().starts_with("file:") {
        // A URI may say anything behind its path.
        return None;
    }
    Some(match (name.metadata(), name.parent()) {
        (Ok(found), _) if found.is_dir() => "the path names a folder; name a file in it",
        (Ok(_), _) => {
            "the file is there; see that this process may read and write it and its folder"
        }
        (Err(_), Some(folder)) if folder != Path::new("") && !folder.is_dir() => {
            "the folder of the file does not exist; make it first"
        }
        (Err(_), _) => {
            "there is no such file, or its folder may not be written; `?mode=rwc`, or `create_if_missing(true)`, makes the file"
        }
    })
}

/// What the names of databases in memory begin with; SQLite shares those that begin with a slash.
const IN_MEMORY: &str = "/steadfast-in-memory-";

/// A database in memory under a name of its own, which the connections of one pool share for as long as one
/// of them is open.
fn in_memory(options: SqliteConnectOptions) -> SqliteConnectOptions {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("{IN_MEMORY}{}", NEXT.fetch_add(1, Ordering::Relaxed));
    options
        .filename(name)
        .vfs("memdb")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Memory)
}
