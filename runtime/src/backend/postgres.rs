//! PostgreSQL.
//!
//! One control statement is one simple query, so options travel with BEGIN in the same round trip. Any
//! error of the server aborts the transaction (to the innermost savepoint), and COMMIT of an aborted one
//! answers without an error: the shield therefore never sends it where an error was seen, and sends a
//! SAVEPOINT ahead of it where something was not seen to its end.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Executor as _, Postgres, Row as _};

use super::{
    Access, Begin, BoxFuture, Dialect, Driver, Established, Options, Statement, Step,
    delegate_to_sqlx, first_row_of_all, flush_all,
};
use crate::isolation::Isolation;

/// A backend's process id, and whether it watches for the end of its client.
#[derive(Debug)]
pub struct PgTag {
    pid: i32,
    watches_client: bool,
}

/// The server looks once a second whether its client is still there (PostgreSQL 14 and later, where the
/// platform can): without it, a query whose client has gone keeps its locks to its end.
const WATCH: &str = "SET LOCAL client_connection_check_interval = '1s'";

impl Driver for Postgres {
    const SYSTEM: &'static str = "postgresql";
    const DIALECT: Dialect = Dialect::Postgres;
    const DROP_DOOMS_SESSION: bool = false;
    const TEXT_IS_TRANSACTION: bool = true;
    const LENDS_IN_SAVEPOINT: bool = true;
    const LEAVES_ERRORS: bool = true;

    type Tag = PgTag;

    delegate_to_sqlx!();
    first_row_of_all!();

    fn parse(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
        url.parse()
    }

    fn establish(options: &Options<Self>) -> BoxFuture<'_, Established<Self>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            let watched = if connection
                .server_version_num()
                .is_none_or(|version| version >= 140_000)
            {
                let batch = format!("BEGIN; {WATCH}; SELECT pg_backend_pid(); ROLLBACK");
                connection.fetch_one(sqlx::AssertSqlSafe(batch)).await.ok()
            } else {
                None
            };
            let watches_client = watched.is_some();
            let row = if let Some(row) = watched {
                row
            } else {
                connection.execute("ROLLBACK").await?;
                connection.fetch_one("SELECT pg_backend_pid()").await?
            };
            Ok((
                connection,
                PgTag {
                    pid: row.try_get(0)?,
                    watches_client,
                },
            ))
        })
    }

    fn drain<'c>(
        connection: &'c mut PgConnection,
        _tag: &'c PgTag,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(flush_all(connection))
    }

    fn prove_clean<'c>(
        connection: &'c mut PgConnection,
        _tag: &'c PgTag,
        _thorough: bool,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            flush_all(connection).await?;
            connection.execute("ROLLBACK").await?;
            Ok(())
        })
    }

    fn begin(tag: &mut PgTag, begin: &Begin) -> Cow<'static, str> {
        if begin.access == Access::Autocommit {
            return Cow::Borrowed("");
        }
        let mut sql = String::from("BEGIN");
        if let Some(isolation) = begin.isolation {
            sql.push_str(match isolation {
                Isolation::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
                Isolation::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
                Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
            });
        }
        if begin.access == Access::Read {
            sql.push_str(" READ ONLY");
        }
        if tag.watches_client {
            sql.push_str("; ");
            sql.push_str(WATCH);
        }
        if let Some(limit) = begin.limit {
            // 0 would mean no limit at all.
            let _ = write!(
                sql,
                "; SET LOCAL statement_timeout = {}",
                millis(limit).max(1)
            );
        }
        Cow::Owned(sql)
    }

    fn commit(_tag: &PgTag, unseen: bool) -> Cow<'static, str> {
        Cow::Borrowed(if unseen {
            "SAVEPOINT steadfast_proof; COMMIT"
        } else {
            "COMMIT"
        })
    }

    fn transaction_gone(error: &sqlx::Error) -> bool {
        // `no_active_sql_transaction`
        matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("25P01"))
    }

    fn cancel(tag: &PgTag) -> Option<String> {
        Some(format!("SELECT pg_cancel_backend({})", tag.pid))
    }

    fn terminate(tag: &PgTag) -> Option<String> {
        Some(format!("SELECT pg_terminate_backend({})", tag.pid))
    }
}

fn millis(limit: Duration) -> u64 {
    // The setting is a 32-bit number of milliseconds.
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .min(i32::MAX as u64)
}
