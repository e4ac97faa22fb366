//! One connection and one transaction, alive for one call.

mod attempt;
mod call;
mod executor;
mod hooks;
mod lending;
mod mismatch;
mod named;
mod place;
mod savepoint;
mod source;

use std::fmt;

use sqlx::Execute;
use tokio::time::Instant;

pub use attempt::Attempt;
pub use call::Call;
pub use named::NamedOperation;
pub use source::{Origin, PoolSource, SessionSource, SessionType};

use crate::backend::{Backend, Begin};
use crate::error::{Category, Error, Outcome, Phase};
use crate::operation::Operation;
use crate::pool::{Custody, Entry, SessionPool, closed};

/// A session: one pooled connection and one transaction, alive for one call.
///
/// `&mut Session<DB>` is a sqlx executor; pass it on as `&mut *session`, as with sqlx's own transaction.
///
/// # Guarantee
/// It ends in exactly one of commit or rollback: committed by [`commit`](Self::commit) or by the annotated
/// function that it belongs to, rolled back in every other case, a drop at any await among them. A statement
/// that would end or begin a transaction is refused before it is sent.
///
/// After an error that ends the transaction or a savepoint (on PostgreSQL any error of the server does) the
/// level it happened in is *doomed*: it answers every later statement with the first error and cannot be
/// committed. [`savepoint`](Self::savepoint) confines that.
///
/// # What stays on a connection
/// A transaction's end takes back the work, and not what a statement has made of the connection. Where the text of a
/// statement shows that it leaves something, the connection serves this session to its end and nobody behind it: it is
/// closed, and the pool opens another when it needs one. The same holds for a single statement on `&pool`.
///
/// | | closed behind | left, because no text shows it | costs nothing |
/// |---|---|---|---|
/// | PostgreSQL | `SET`, `RESET`, `DISCARD`, `set_config(…, false)`, `UPDATE pg_settings`; what is temporary, by `CREATE` or `SELECT … INTO TEMP`; `PREPARE`, `DEALLOCATE`, `DECLARE … WITH HOLD`, `LOAD`; `pg_advisory_lock` and its kind | what functions, `DO` and `CALL` set; what a [lent](crate::guide::adopting) connection was told | `SET LOCAL`, `set_config(…, true)`, `ON COMMIT DROP`, `pg_advisory_xact_lock` |
/// | MySQL, MariaDB | `SET` of the session, of its next transaction and of variables (`@a := …`, `INTO @a`), `USE`, temporary tables, `PREPARE`, `GET_LOCK` | what procedures, functions, `EXECUTE` and a lent connection do | `SET STATEMENT … FOR` what leaves nothing by itself, `SET GLOBAL` |
/// | SQLite | `PRAGMA` that sets something of the connection's, behind `EXPLAIN` too, `ATTACH`, `DETACH`, temporary tables, views and triggers | what a lent connection was told | `PRAGMA` that asks, and those of the database itself |
///
/// Left on each of them: which key was made last (`lastval()`, `LAST_INSERT_ID()`, `last_insert_rowid()`), and on
/// `PostgreSQL` the libraries that were loaded. What a lent connection was told in a transaction on `PostgreSQL` is left
/// only where that is committed, but for what the server keeps out of it (`PREPARE`, advisory locks).
///
/// What stands on a connection by right belongs into
/// [`after_connect`](crate::PoolBuilder::after_connect); work that needs a connection for itself takes a
/// [lease](crate::SessionPool::acquire), which is cleaned.
///
/// # Cost
/// It opens at its first statement; before that it holds no connection. `n` statements cost `n + 2` round
/// trips once they are prepared, a savepoint with a statement in it one more. On SQLite, where a round trip is one to the
/// driver's thread, it is one more: whether tables have changed is asked there.
///
/// # Errors
/// A statement's are the database's own. Errors of ours (no connection in time, a doomed level, a refused
/// statement, a connection that was lost; by hand on MySQL also what is refused behind a `CALL` or a loan, which may
/// have committed) reach sqlx as `AnyDriverError` and come out again with `?` into [`Error`]; what the driver said is
/// [`Error::as_sqlx`] then.
///
/// # Cancellation
/// A statement may be dropped at any await. While it was running, its level is doomed (on MySQL the whole
/// session); a stream that was dropped between rows is drained before the next statement. A session that is
/// dropped is rolled back by the reaper: a running statement is cancelled on the server, and the slot is free
/// within a second.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example(pool: steadfast::PgSessionPool) -> Result<(), steadfast::Error> {
/// let mut session = pool.begin().await?;
/// sqlx::query("UPDATE accounts SET cents = cents - 500 WHERE id = 1")
///     .execute(&mut session)
///     .await?;
/// session.commit().await?;
/// # Ok(()) }
/// ```
pub struct Session<DB: Backend> {
    custody: Custody<DB>,
}

impl<DB: Backend> Session<DB> {
    pub(crate) fn new(custody: Custody<DB>) -> Self {
        Self { custody }
    }

    pub(crate) fn custody(&mut self) -> &mut Custody<DB> {
        &mut self.custody
    }

    /// What tells it from every other session, those of the same call's other attempts among them.
    fn serial(&self) -> u64 {
        self.custody.serial()
    }

    /// The id of the call that this session belongs to, unique in the process; each attempt has the same.
    pub fn id(&self) -> u64 {
        self.custody.entry().id
    }

    /// The operation that opened it: `module::function`, or what `name` says.
    pub fn operation(&self) -> &'static str {
        self.custody.entry().operation.name()
    }

    /// Which attempt this is; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.custody.entry().attempt()
    }

    /// A key for services that recognise a request by one: the same in every attempt of one call, and of no other call.
    /// 128 random bits in the form of a UUID of version 4, so that it fits a `uuid` column too.
    ///
    /// The call is the outermost one: those inside of it have the same key, for they start over with it. Where one call
    /// asks several times for something, add to the key what tells them apart, the number of an order for example.
    ///
    /// Made inside of the body, a key would be another in each attempt.
    pub fn idempotency_key(&self) -> String {
        let key = self.custody.entry().key();
        let uuid = key & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let hex = format!("{uuid:032x}");
        let (time, rest) = hex.split_at(8);
        let (middle, node) = rest.split_at(12);
        format!(
            "{time}-{}-{}-{}-{node}",
            &middle[..4],
            &middle[4..8],
            &middle[8..]
        )
    }

    /// When the call's time is up: the earliest deadline of the calls this one runs in, if any has one.
    pub fn deadline(&self) -> Option<Instant> {
        self.custody.deadline()
    }

    /// The session will be rolled back even if everything goes well. The call still returns what the body
    /// returns; its outcome is `RolledBack`.
    pub fn set_rollback_only(&mut self) {
        self.custody.machine().life.set_rollback_only();
    }

    /// Commits the session begun by [`SessionPool::begin`].
    ///
    /// # Errors
    /// Where the session is doomed: the first error, outcome `RolledBack`, or `NotSent` where the connection is closed
    /// with it. Where COMMIT was refused: the database's error, outcome `RolledBack`. Where no answer came, or the answer
    /// leaves doubt: outcome `Unknown`. After [`set_rollback_only`](Self::set_rollback_only): `Cancelled`, outcome
    /// `RolledBack`, or `NotSent` where no statement ran or the connection was closed.
    ///
    /// # Cost
    /// One round trip; none where no statement ran.
    ///
    /// # Cancellation
    /// Once sent, COMMIT runs to its end whether or not this future does. Dropped before that, the session is
    /// rolled back.
    pub async fn commit(mut self) -> Result<(), Error> {
        let rollback_only = self.custody.machine().life.is_rollback_only();
        let result = match self.custody.commit().await {
            Ok(outcome) if rollback_only => Err(Error::new(
                Category::Cancelled,
                Phase::Commit,
                "the session was set to roll back, and has",
            )
            .with_help("call `rollback` where that is meant")
            .with_outcome(outcome)),
            result => result,
        };
        if let Err(error) = &result {
            self.custody.watch(error);
        }
        self.custody
            .entry()
            .answered(result.as_ref().err().map(Error::category));
        result.map(|_| ())
    }

    /// Rolls back the session begun by [`SessionPool::begin`]. The same as dropping it, with the wait for the
    /// slot to be free.
    ///
    /// # Errors
    /// `Programming`, outcome `Unknown`, where something in the session had ended its transaction, so that a part of
    /// the work may be committed. Where the rollback cannot be proven the connection is closed, which rolls back as
    /// well.
    ///
    /// # Cost
    /// One round trip, a second at most; none where no statement ran.
    ///
    /// # Cancellation
    /// Dropped, the rollback goes on without it.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let outcome = self.custody.roll_back().await;
        let result = match outcome {
            Outcome::Unknown => Err(self.custody.why_unknown()),
            _ => Ok(()),
        };
        self.custody
            .entry()
            .answered(result.as_ref().err().map(Error::category));
        result
    }

    /// Runs a query that must answer exactly one row.
    ///
    /// # Errors
    /// `NotFound` without a row, `TooManyRows` with more than one, and those of the query. The first two leave
    /// the session healthy.
    ///
    /// # Cost
    /// All rows are read, so that the statement is over when this answers.
    ///
    /// # Cancellation
    /// As any statement's.
    pub async fn fetch_exactly_one<'q, E>(&mut self, query: E) -> Result<DB::Row, Error>
    where
        E: Execute<'q, DB> + 'q,
    {
        use std::future::poll_fn;

        let mut rows = sqlx::Executor::fetch(&mut *self, query);
        let mut first = None;
        let mut more = false;
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            let row = row?;
            more |= first.is_some();
            first.get_or_insert(row);
        }
        match first {
            Some(_) if more => Err(Error::new(
                Category::TooManyRows,
                Phase::Body,
                "the query answered a second row",
            )),
            Some(row) => Ok(row),
            None => Err(sqlx::Error::RowNotFound.into()),
        }
    }
}

impl<DB: Backend> fmt::Debug for Session<DB> {
    /// Name and id: `#[tracing::instrument]` records every argument.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("operation", &self.operation())
            .field("id", &self.id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// What sessions begun by hand are counted as.
static BY_HAND: Operation = Operation::new("steadfast::begin");

impl<DB: Backend> SessionPool<DB> {
    /// Begins a session by hand. Nothing is sent, and no connection taken, before its first statement.
    ///
    /// # Errors
    /// `Closed` where the pool is closed.
    ///
    /// # Cancellation
    /// The session is rolled back when it is dropped, wherever that happens.
    #[allow(clippy::unused_async)] // as `sqlx::Pool::begin`, and what it will have to wait for may grow
    pub async fn begin(&self) -> Result<Session<DB>, Error> {
        if self.is_closed() {
            return Err(closed());
        }
        let entry = Entry::new(&BY_HAND, false);
        entry.next_attempt();
        let mut custody = Custody::new(self.clone(), entry, Begin::default(), None);
        custody.machine().life.leave_to_hand();
        Ok(Session::new(custody))
    }
}
