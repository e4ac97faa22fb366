//! The mechanism of one kind of server, as the shield calls it.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::Database;

use super::{Begin, BoxFuture, Connected, Dialect, Options, Scrubbed, Statement, Step, Suspicion};

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
    /// Whether a statement may commit the transaction that it runs in without a word of it: DDL, a procedure.
    const COMMITS_SILENTLY: bool;
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

    /// Whether a connection introduces itself ahead of the user's own preparation, which may change what it answers.
    const INTRODUCES_FIRST: bool = true;

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

    /// Makes a connection ours: asks the server for its id, and for the settings that sessions change.
    fn introduce(
        connection: &mut Self::Connection,
    ) -> BoxFuture<'_, Result<Self::Tag, sqlx::Error>>;

    /// Asks for those settings once more: what the user has set meanwhile stands from here on.
    fn learn<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c mut Self::Tag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            *tag = Self::introduce(connection).await?;
            Ok(())
        })
    }

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

    /// Sends what opens a session, or what goes ahead of its next statement, and looks on the way at what may have
    /// changed since the connection was last used. `sql` may be empty.
    fn open<'c>(
        connection: &'c mut Self::Connection,
        tag: &'c mut Self::Tag,
        sql: Cow<'static, str>,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        let _ = tag;
        if sql.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        Self::batch(connection, sql)
    }

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

    /// A statement of the user's is about to be sent; `reshapes`: it may change tables.
    fn sends(_tag: &mut Self::Tag, _reshapes: bool) {}

    /// Whether tables may be others by now than those that statements were prepared for, so that
    /// [`open`](Self::open) has to look ahead of the next one.
    fn is_stale(_tag: &Self::Tag) -> bool {
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

    /// Whether the transaction is proven to be ours still, or not to be, whatever has run unseen before.
    fn is_ours(_tag: &Self::Tag) -> Option<bool> {
        None
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

    /// Makes a connection that has introduced itself one that may stop what runs on the pool's others.
    fn take_control(_connection: &mut Self::Connection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(std::future::ready(Ok(())))
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

    /// The limit on a statement that is sent now, where the server's words alone would tell that it has stopped one for
    /// that.
    fn limit(_tag: &Self::Tag, _in_transaction: bool) -> Option<Duration> {
        None
    }

    /// Whether these words say that somebody has asked for it.
    fn stopped_by_request(_error: &sqlx::Error) -> bool {
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
