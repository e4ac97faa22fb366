//! The connection itself, for code that knows nothing of sessions.

use sqlx::{Acquire, Connection as _, Transaction};

use super::Session;
use crate::backend::{Backend, BoxFuture};
use crate::error::Error;

impl<DB: Backend> Session<DB> {
    /// Lends the connection to code that wants sqlx's own: `helper(session.raw().await?).await?`.
    ///
    /// # Guarantee
    /// What is done on it is part of the session. A helper's own `begin` is a savepoint, also in sqlx's count: its
    /// `commit` keeps the work for as long as the session does, its `rollback` and its drop undo that part alone. What
    /// the helper does behind our back is found at the latest by the end of the session: a transaction that it never
    /// ended, or ours ended by raw SQL, are a `Programming` error, never a false `Ok`, with outcome `Unknown` where a
    /// part of the work may be committed. Statements are not watched: one that fails on PostgreSQL dooms the session
    /// although its error was swallowed, and COMMIT says so; on SQLite `statement_timeout` does not stop them.
    ///
    /// Settings that it changes (`SET`, `PRAGMA`) stay on the connection: write `SET LOCAL`. Those that sessions set
    /// themselves (the limits of statements and locks, `autocommit`, `query_only`) are set right for the next one.
    ///
    /// In a session in `autocommit` a helper's transactions are real ones; where it leaves one open that is rolled
    /// back, and the call is a `Programming` error with outcome `Unknown`.
    ///
    /// # Errors
    /// As a statement's: no connection in time, a doomed level.
    ///
    /// # Cost
    /// None where the session opens with it, else one round trip on PostgreSQL, and on the others once in a
    /// connection's life; on MySQL one more for the session's next statement or its end.
    ///
    /// # Cancellation
    /// A statement that is dropped on the lent connection is stopped before the session goes on.
    pub async fn raw(&mut self) -> Result<&mut DB::Connection, Error> {
        self.custody.lend().await
    }
}

impl<'s, DB: Backend> Acquire<'s> for &'s mut Session<DB> {
    type Database = DB;
    type Connection = &'s mut DB::Connection;

    /// As [`Session::raw`].
    fn acquire(self) -> BoxFuture<'s, Result<Self::Connection, sqlx::Error>> {
        Box::pin(async move { Ok(self.raw().await?) })
    }

    /// A savepoint of the session, as sqlx's own transaction.
    fn begin(self) -> BoxFuture<'s, Result<Transaction<'s, DB>, sqlx::Error>> {
        Box::pin(async move { self.raw().await?.begin().await })
    }
}
