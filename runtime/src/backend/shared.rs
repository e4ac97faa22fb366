//! What the drivers share, and the rest of the crate needs of a statement's answer.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::Connection;
use sqlx::Either;

use super::{Driver, Step};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::error::{Ends, verdict};

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
pub(super) fn out_of_step() -> sqlx::Error {
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
pub(super) use delegate_to_sqlx;

/// Reads what is left until the connection is ready; each turn takes one error off the wire, so it ends.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) async fn flush_all<C: Connection>(
    connection: &mut C,
) -> Result<Option<sqlx::Error>, sqlx::Error> {
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
