//! What a database must offer for the shield to hold on it.
//!
//! [`Backend`] is the public, sealed name; [`Driver`] carries the mechanism: how a transaction is begun,
//! proven, committed and rolled back on one kind of server, and how a statement that nobody waits for is
//! stopped. Everything above this module is written once, for all databases.

#![allow(
    unreachable_pub,
    reason = "reachable through the sealed bound of a public trait, and nameable by nobody"
)]

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod setting;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::{Connection, Database, Either};

use crate::isolation::Isolation;
pub use statement::Statement;

/// A boxed future that may borrow; the form in which drivers answer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The connect options of a database.
pub type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A new connection.
pub type Connected<DB> = Result<<DB as Database>::Connection, sqlx::Error>;

/// What a stream of a statement yields.
pub type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// Whose SQL a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` and `MariaDB`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

/// A database that steadfast manages: `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`, each behind the
/// feature of its name. Sealed: the shield's promises are proven for these three.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that steadfast manages",
    label = "expected `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`",
    note = "each is behind a feature of steadfast: `postgres`, `mysql`, `sqlite`",
    note = "a type parameter that stands for any of them is bounded by `steadfast::Backend`"
)]
pub trait Backend: Driver {}

#[diagnostic::do_not_recommend]
impl<DB: Driver> Backend for DB {}

/// How a session's transaction is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin {
    pub(crate) access: Access,
    pub(crate) isolation: Option<Isolation>,
    /// What is left of the deadline when BEGIN is sent: the server's own limit for each statement.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(
            dead_code,
            reason = "SQLite runs in this process, where the deadline itself stops it"
        )
    )]
    pub(crate) limit: Option<Duration>,
    /// How long a statement may wait for a lock.
    pub(crate) lock_timeout: Option<Duration>,
    /// How long a statement may take.
    pub(crate) statement_timeout: Option<Duration>,
    /// Whose it is, for those who look at the server.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only `PostgreSQL` shows it to anybody")
    )]
    pub(crate) owner: Option<Owner>,
}

/// The savepoint around what is done on a lent connection; see [`Driver::LENDS_IN_SAVEPOINT`].
pub(crate) const LENT: &str = "steadfast_lent";

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl Begin {
    /// Whether a function of an earlier session, which nobody has seen, may have changed what is asked for here: what
    /// travels with BEGIN is then said again, for that costs no round trip.
    pub(crate) fn limits_statements_anew(&self) -> bool {
        self.access != Access::Autocommit
            && (self.statement_timeout.is_some() || self.limit.is_some())
    }

    /// The same for waits.
    pub(crate) fn limits_waits_anew(&self) -> bool {
        self.access != Access::Autocommit && self.lock_timeout.is_some()
    }
}

/// The call that a session belongs to.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only `PostgreSQL` shows it to anybody")
)]
pub(crate) struct Owner {
    pub(crate) operation: &'static str,
    pub(crate) id: u64,
}

/// What somebody may have done on a lent connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Ended the transaction; this savepoint stands for as long as it does.
    Ended {
        #[cfg_attr(
            not(feature = "postgres"),
            allow(dead_code, reason = "the others see it by themselves")
        )]
        savepoint: String,
    },
    /// Left one open, in autocommit.
    Opened,
}

/// What a session may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Write,
    Read,
    /// No transaction at all: the server commits each statement by itself.
    Autocommit,
}

/// What came of tidying a connection that somebody had to himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// It is as it was.
    Clean,
    /// It is as it was when it was new: what the pool does to a new connection is to be done again.
    Reset,
    /// Something may be left that cannot be undone, or not be seen.
    InDoubt,
}

/// The mechanism of one kind of server. The methods are called by the shield alone.
///
/// `Tag` is what one connection carries beside its socket: the server's id for it, and the settings that
/// earlier sessions left on it.
pub trait Driver: Database + Sized {
    /// The name in OpenTelemetry's `db.system.name`.
    const SYSTEM: &'static str;
    /// How the statement scanner reads this database's SQL.
    const DIALECT: Dialect;
    /// Whether a statement that was dropped while it ran leaves the protocol itself in doubt, so that only
    /// a rollback of the whole session and a nonce prove the connection.
    const DROP_DOOMS_SESSION: bool;
    /// Whether a text of several statements, sent outside of a transaction, is one transaction of its own.
    const TEXT_IS_TRANSACTION: bool;
    /// Whether a savepoint must stand around what is done on a lent connection, so that COMMIT proves that nobody
    /// has ended the transaction.
    const LENDS_IN_SAVEPOINT: bool;
    /// Whether an error of a statement that was not read to its end meets the statement after it.
    const LEAVES_ERRORS: bool;
    /// Whether the driver's stream of a statement that was lost half-way ends as one does that was answered, but for
    /// the result at its end.
    const LOSES_ANSWERS: bool;

    /// What a connection carries beside its socket.
    type Tag: Clone + Debug + Send + Sync + 'static;

    /// Parses a URL, with this crate's defaults for whatever the URL leaves open.
    fn parse(url: &str) -> Result<Options<Self>, sqlx::Error>;

    /// Whether the database is gone with its last connection, so that one must be kept open beside the pool's.
    fn lives_in_memory(_options: &Options<Self>) -> bool {
        false
    }

    /// Opens a connection.
    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>>;

    /// Makes a connection ours: asks the server for its id and for the settings that sessions change, whatever the user
    /// has done to it before.
    fn introduce(
        connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<Self::Tag, sqlx::Error>>;

    /// The name under which write sessions queue in this process, where the database has one writer.
    fn write_gate(_options: &Options<Self>) -> Option<String> {
        None
    }

    /// Runs a statement as a stream.
    fn fetch_many(
        connection: &mut Self::Connection,
        statement: Statement<Self>,
    ) -> BoxStream<'_, Result<Step<Self>, sqlx::Error>>;

    /// Prepares a statement.
    fn prepare_with<'c>(
        connection: &'c mut Self::Connection,
        sql: sqlx::SqlStr,
        parameters: &'c [Self::TypeInfo],
    ) -> BoxFuture<'c, Result<Self::Statement, sqlx::Error>>;

    /// Describes a statement, for the checked query macros.
    fn describe(
        connection: &mut Self::Connection,
        sql: sqlx::SqlStr,
    ) -> BoxFuture<'_, Result<sqlx::Describe<Self>, sqlx::Error>>;

    /// The number in the first column of an answer of ours.
    fn first_number(row: &Self::Row) -> Result<i64, sqlx::Error>;

    /// Sends text as one unprepared query and reads it to its end.
    fn batch<'c>(
        connection: &'c mut Self::Connection,
        sql: Cow<'static, str>,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>>;

    /// Reads whatever an unfinished statement left on the wire. `Ok(Some(_))` is an error of that
    /// statement, `Err(_)` the end of the connection.
    fn drain<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c Self::Tag,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>>;

    /// Rolls back and proves that no transaction is open and that question and answer are in step.
    /// `thorough` after a statement was dropped while it ran. Right also when there is no transaction.
    fn prove_clean<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c Self::Tag,
        thorough: bool,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>>;

    /// What is sent to open a session; empty where there is nothing to send.
    fn begin(tag: &mut Self::Tag, begin: &Begin) -> Cow<'static, str>;

    /// What is sent to commit, and proves by its answer that the transaction was still ours. `unseen`: a
    /// statement was not read to its end. A `note`, where there is one, goes behind the proof: it must not be made
    /// where the transaction is gone.
    fn commit(tag: &Self::Tag, unseen: bool, note: &str) -> Cow<'static, str>;

    /// Where a table was found or would be made when the connection was opened, as it is written in SQL: a session may
    /// look elsewhere by the time it commits.
    fn schema(tag: &Self::Tag) -> Option<Arc<str>>;

    /// Called when COMMIT is about to be sent.
    fn permit_commit(_tag: &Self::Tag) {}

    /// Whether an error of COMMIT says that our transaction was not there any more.
    fn transaction_gone(error: &sqlx::Error) -> bool;

    /// Whether an error of BEGIN or COMMIT says that another process holds the write lock: nothing has
    /// changed and the same statement may be sent again.
    fn is_busy(_error: &sqlx::Error) -> bool {
        false
    }

    /// The same statement once more, where one that was refused as busy may be sent again. A statement that comes in
    /// parts never is: what ran ahead of the refused part has been done.
    fn again(_statement: &Statement<Self>) -> Option<Statement<Self>> {
        None
    }

    /// Whether the database has ended the transaction by itself since this was last asked.
    fn ended_by_itself(_tag: &Self::Tag) -> bool {
        false
    }

    /// Whether this very server, by its settings, rolls the whole transaction back for an error that ends but a
    /// statement elsewhere.
    fn takes_transaction(_tag: &Self::Tag, _error: &sqlx::Error) -> bool {
        false
    }

    /// A statement is about to be sent whose text does not show all that it runs.
    fn runs_hidden(_tag: &mut Self::Tag) {}

    /// The connection is about to be lent: settings of it may be changed, and transactions ended, without a word.
    fn lends(tag: &mut Self::Tag) {
        Self::runs_hidden(tag);
    }

    /// A rollback follows that shall find out what somebody may have done unseen; `None` where the connection was not
    /// lent. The answer is [`was_meddled_with`](Self::was_meddled_with).
    fn suspect(_tag: &mut Self::Tag, _suspicion: Option<Suspicion>) {}

    /// Whether a statement in autocommit may have left a transaction open, so that the end must be proven.
    fn may_be_open(_tag: &Self::Tag) -> bool {
        false
    }

    /// Whether `prove_clean` has found that somebody else's words had ended the session's transaction or, in
    /// autocommit, left one open: part of the work may be committed.
    fn was_meddled_with(_tag: &Self::Tag) -> bool {
        false
    }

    /// Whether a statement was refused because its transaction had failed before, whichever that was.
    fn in_failed_transaction(_error: &sqlx::Error) -> bool {
        false
    }

    /// Proves that question and answer are in step, where an unwatched statement that was dropped may have changed
    /// that. Where the savepoint around what was lent is the innermost of ours (without
    /// [`LENDS_IN_SAVEPOINT`](Self::LENDS_IN_SAVEPOINT) that of `begin`) it is set anew: what the borrower has left inside
    /// is gone, and the transaction may be proven to be ours still, which [`is_ours`](Self::is_ours) tells. `Ok(Some(_))`
    /// says that it is not, or has failed.
    fn resync<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c mut Self::Tag,
        renews: bool,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        let _ = (connection, tag, renews);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Whether it is proven that nobody has ended the transaction, whatever has run unseen before.
    fn is_ours(_tag: &Self::Tag) -> bool {
        false
    }

    /// Whether a backslash in a string escapes what follows, though the dialect's default is another.
    fn strings_escape(_tag: &Self::Tag) -> bool {
        false
    }

    /// Whether the statement that has just failed, outside of a transaction, is known to have committed something
    /// first.
    fn kept_a_part(_tag: &Self::Tag, _error: &sqlx::Error) -> bool {
        false
    }

    /// Whether a statement that was dropped in autocommit has been applied, where its rest told no error. One that has
    /// answered nothing may have been prepared and no more.
    fn was_applied(_tag: &Self::Tag, _in_parts: bool, has_answered: bool) -> Option<bool> {
        has_answered.then_some(true)
    }

    /// Settings of the connection are in doubt: the next `begin` sends them all.
    fn forget_settings(_tag: &mut Self::Tag) {}

    /// The same database for all connections of a pool, where these options would make one for each.
    fn shared(options: Options<Self>) -> Options<Self> {
        options
    }

    /// What keeps a connection from being opened, where more can be found out than the driver says.
    fn diagnose(_options: &Options<Self>, _error: &sqlx::Error) -> Option<&'static str> {
        None
    }

    /// A statement starts; where the time that it may take is kept in this process, that begins to run.
    fn starts(_tag: &Self::Tag) {}

    /// It is over, and so is that time; whether it was stopped because of it.
    fn ends(_tag: &Self::Tag) -> bool {
        false
    }
    /// Remembers what a connection is like that somebody is about to have to himself, where `scrub` compares.
    fn inspect<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c mut Self::Tag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let _ = (connection, tag);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Undoes what somebody has left on a connection beside a transaction: settings, locks, temporary tables, cursors.
    /// To be called behind `prove_clean`.
    fn scrub<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c mut Self::Tag,
    ) -> BoxFuture<'c, Result<Scrubbed, sqlx::Error>>;

    /// Stops the running statement from within this process, where that is possible.
    fn interrupt(_tag: &Self::Tag) {}

    /// Whether one server serves both connections and has not started anew in between, as far as their tags tell.
    fn is_same_server(_one: &Self::Tag, _other: &Self::Tag) -> bool {
        true
    }

    /// What another connection sends to stop the running statement.
    fn cancel(tag: &Self::Tag) -> Option<String>;

    /// What another connection sends to end this one.
    fn terminate(tag: &Self::Tag) -> Option<String>;
}

/// The first row of a statement. Its stream is read to its end, so that an error which comes after it belongs to this
/// statement and not to the next. On `SQLite` a statement is committed by its last step alone, and sqlx drops the error
/// of one that it stops early.
pub(crate) async fn first_row<DB: Driver>(
    mut steps: impl Stream<Item = Result<Step<DB>, sqlx::Error>> + Unpin,
) -> Result<Option<DB::Row>, sqlx::Error> {
    let mut first = None;
    while let Some(step) = poll_fn(|context| Pin::new(&mut steps).poll_next(context)).await {
        if let Either::Right(row) = step? {
            first.get_or_insert(row);
        }
    }
    Ok(first)
}

/// The error of a connection whose answers are another question's.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn out_of_step() -> sqlx::Error {
    sqlx::Error::Protocol("the connection answered an earlier question".to_owned())
}

/// The parts of [`Driver`] that are the same words for each of sqlx's connections: sqlx implements
/// `Executor` per connection type, and a bound that says so for a generic one overflows in callers.
macro_rules! delegate_to_sqlx {
    () => {
        fn fetch_many(
            connection: &mut Self::Connection,
            statement: Statement<Self>,
        ) -> BoxStream<'_, Result<Step<Self>, sqlx::Error>> {
            sqlx::Executor::fetch_many(connection, statement)
        }

        fn prepare_with<'c>(
            connection: &'c mut Self::Connection,
            sql: sqlx::SqlStr,
            parameters: &'c [Self::TypeInfo],
        ) -> BoxFuture<'c, Result<Self::Statement, sqlx::Error>> {
            sqlx::Executor::prepare_with(connection, sql, parameters)
        }

        fn describe(
            connection: &mut Self::Connection,
            sql: sqlx::SqlStr,
        ) -> BoxFuture<'_, Result<sqlx::Describe<Self>, sqlx::Error>> {
            sqlx::Executor::describe(connection, sql)
        }

        fn batch<'c>(
            connection: &'c mut Self::Connection,
            sql: Cow<'static, str>,
        ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
            Box::pin(async move {
                sqlx::Executor::execute(connection, sqlx::AssertSqlSafe(sql)).await?;
                Ok(())
            })
        }
    };
}

#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
use delegate_to_sqlx;

/// Reads what is left until the connection is ready; each turn takes one error off the wire, so it ends.
#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn flush_all<C: Connection>(connection: &mut C) -> Result<Option<sqlx::Error>, sqlx::Error> {
    use crate::error::{Ends, verdict};

    let mut leftover = None;
    loop {
        match connection.flush().await {
            Ok(()) => return Ok(leftover),
            Err(error) if verdict(&error).ends == Ends::Connection => return Err(error),
            Err(error) => {
                leftover.get_or_insert(error);
            }
        }
    }
}
