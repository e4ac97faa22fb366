//! SQLite.
//!
//! Write sessions begin IMMEDIATE: a DEFERRED transaction that reads and then writes fails with BUSY as
//! soon as another has written in between, busy timeout or not. Two hooks guard the transaction: the commit
//! hook turns a COMMIT that is not ours into a rollback, the rollback hook tells of rollbacks that are
//! SQLite's own (a full disk, `OR ROLLBACK`, an interrupted write). A progress handler that reads a flag
//! stops a running statement; it does not end a wait for a lock, so the connection's own busy timeout is
//! short and waiting is done on the async side.

mod likeness;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::sqlite::{
    LockedSqliteHandle, SqliteConnectOptions, SqliteConnection, SqliteJournalMode,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Sqlite};

use super::{
    Access, Begin, BoxFuture, Connected, Dialect, Driver, Options, Scrubbed, Statement, Step,
    delegate_to_sqlx, first_row_of_all,
};
use likeness::look;

/// A busy wait blocks the connection's thread and nothing ends it early.
const BUSY_TIMEOUT: Duration = Duration::from_millis(25);

/// Virtual machine steps between two looks at the flag: about a millisecond at most, and not measurable.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

/// The flags that the connection's hooks read and write, and whether it refuses writes.
#[derive(Clone, Debug)]
pub struct SqliteTag {
    flags: Arc<Flags>,
    /// `None` where it is in doubt.
    query_only: Option<bool>,
    /// Whether a transaction of ours was begun.
    in_transaction: bool,
    /// What the connection was like when it was lent by hand, where that could be seen.
    lent: Option<String>,
}

#[derive(Debug, Default)]
struct Flags {
    /// The running statement shall stop.
    interrupt: AtomicBool,
    /// A commit is ours.
    commit_permitted: AtomicBool,
    /// The transaction was rolled back.
    rolled_back: AtomicBool,
    /// Somebody had left a transaction open, outside of ours.
    left_open: AtomicBool,
}

impl Driver for Sqlite {
    const SYSTEM: &'static str = "sqlite";
    const DIALECT: Dialect = Dialect::Sqlite;
    const DROP_DOOMS_SESSION: bool = false;
    const TEXT_IS_TRANSACTION: bool = false;
    const LENDS_IN_SAVEPOINT: bool = false;
    const LEAVES_ERRORS: bool = false;

    type Tag = SqliteTag;

    delegate_to_sqlx!();
    first_row_of_all!();

    fn parse(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        // A shared cache, which is what sqlx makes of `:memory:`, ignores the busy timeout.
        let address = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let (path, parameters) = address.split_once('?').unwrap_or((address, ""));
        if path == ":memory:"
            || parameters
                .split('&')
                .any(|parameter| parameter == "mode=memory")
        {
            return Ok(in_memory());
        }
        Ok(options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full))
    }

    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>> {
        Box::pin(async move { options.clone().busy_timeout(BUSY_TIMEOUT).connect().await })
    }

    fn introduce(
        connection: &mut SqliteConnection,
    ) -> BoxFuture<'_, Result<SqliteTag, sqlx::Error>> {
        Box::pin(async move {
            let flags = Arc::new(Flags::default());
            flags.commit_permitted.store(true, Ordering::Release);
            flags.guard(&mut connection.lock_handle().await?);
            Ok(SqliteTag {
                flags,
                query_only: Some(false),
                in_transaction: false,
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

    fn drain<'c>(
        connection: &'c mut SqliteConnection,
        tag: &'c SqliteTag,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(async move {
            // Answered behind whatever still runs; only then is the flag nobody's.
            connection.ping().await?;
            tag.flags.interrupt.store(false, Ordering::Release);
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
            match connection.execute("ROLLBACK").await {
                Ok(_) if !tag.in_transaction => tag.flags.left_open.store(true, Ordering::Release),
                Ok(_) => {}
                Err(error) if Self::transaction_gone(&error) => {}
                Err(error) => return Err(error),
            }
            tag.flags.rolled_back.store(false, Ordering::Release);
            tag.flags.commit_permitted.store(true, Ordering::Release);
            Ok(())
        })
    }

    fn was_meddled_with(tag: &SqliteTag) -> bool {
        tag.flags.left_open.load(Ordering::Acquire)
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

    fn begin(tag: &mut SqliteTag, begin: &Begin) -> Cow<'static, str> {
        tag.in_transaction = begin.access != Access::Autocommit;
        tag.lent = None;
        tag.flags.left_open.store(false, Ordering::Release);
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

    fn commit(_tag: &SqliteTag, _unseen: bool) -> Cow<'static, str> {
        Cow::Borrowed("COMMIT")
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
        // The primary code is the low byte: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED. 517 is
        // SQLITE_BUSY_SNAPSHOT: waiting does not mend that one.
        let sqlx::Error::Database(error) = error else {
            return false;
        };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 5 | 6) && code != 517)
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

impl Flags {
    /// Sets the three hooks.
    fn guard(self: &Arc<Self>, handle: &mut LockedSqliteHandle<'_>) {
        let progress = Arc::clone(self);
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || {
            !progress.interrupt.load(Ordering::Acquire)
        });
        let commit = Arc::clone(self);
        handle.set_commit_hook(move || commit.commit_permitted.load(Ordering::Acquire));
        let rollback = Arc::clone(self);
        handle.set_rollback_hook(move || rollback.rolled_back.store(true, Ordering::Release));
    }
}

/// What the names of databases in memory begin with; SQLite shares those that begin with a slash.
const IN_MEMORY: &str = "/steadfast-in-memory-";

/// A database in memory under a name of its own, which the connections of one pool share for as long as one
/// of them is open.
fn in_memory() -> SqliteConnectOptions {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("{IN_MEMORY}{}", NEXT.fetch_add(1, Ordering::Relaxed));
    SqliteConnectOptions::new()
        .filename(name)
        .vfs("memdb")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Memory)
}
