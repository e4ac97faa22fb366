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

use super::setting::Setting;
use super::{
    Access, Begin, BoxFuture, Connected, Dialect, Driver, Options, Owner, Statement, Step,
    delegate_to_sqlx, first_row_of_all, flush_all,
};
use crate::isolation::Isolation;

/// Which backend serves a connection, and what is set on it.
#[derive(Clone, Debug)]
pub struct PgTag {
    pid: i32,
    /// In microseconds since 1970: the process id may be somebody else's by now.
    started: i64,
    watches_client: bool,
    statement_timeout: Setting,
    lock_timeout: Setting,
    strings_escape: bool,
}

/// The server looks once a second whether its client is still there (PostgreSQL 14 and later, where the
/// platform can): without it, a query whose client has gone keeps its locks to its end.
const WATCH: &str = "SET LOCAL client_connection_check_interval = '1s'";

/// When a backend was started: with its process id, what no other backend has.
const STARTED: &str = "(extract(epoch FROM backend_start) * 1000000)::bigint";

/// Who serves this connection, and the limits that stand on it.
const WHO: &str = "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint, \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'), \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'), \
    current_setting('standard_conforming_strings') = 'off' \
    FROM pg_stat_get_activity(pg_backend_pid())";

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

    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>> {
        Box::pin(options.connect())
    }

    fn introduce(connection: &mut PgConnection) -> BoxFuture<'_, Result<PgTag, sqlx::Error>> {
        Box::pin(async move {
            let watched = if connection
                .server_version_num()
                .is_none_or(|version| version >= 140_000)
            {
                let batch = format!("BEGIN; {WATCH}; {WHO}; ROLLBACK");
                connection.fetch_one(sqlx::AssertSqlSafe(batch)).await.ok()
            } else {
                None
            };
            let watches_client = watched.is_some();
            let row = if let Some(row) = watched {
                row
            } else {
                connection.execute("ROLLBACK").await?;
                connection.fetch_one(WHO).await?
            };
            let millis = |setting: i64| Setting::new(setting.try_into().unwrap_or(0));
            Ok(PgTag {
                pid: row.try_get(0)?,
                started: row.try_get(1)?,
                watches_client,
                statement_timeout: millis(row.try_get(2)?),
                lock_timeout: millis(row.try_get(3)?),
                strings_escape: row.try_get(4)?,
            })
        })
    }

    fn first_number(row: &Self::Row) -> Result<i64, sqlx::Error> {
        row.try_get::<i32, _>(0).map(i64::from)
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
        let mut sql = String::new();
        let statement = tag
            .statement_timeout
            .wanted(begin.statement_timeout.map(millis), begin.limit.map(millis));
        let lock = tag
            .lock_timeout
            .wanted(begin.lock_timeout.map(millis), None);
        if begin.access == Access::Autocommit {
            // There is no transaction to confine a setting to: the next BEGIN takes it back.
            tag.set_for_session(&mut sql, statement, lock);
            return Cow::Owned(sql);
        }
        let (standing_statement, standing_lock) = (
            tag.statement_timeout.standing(),
            tag.lock_timeout.standing(),
        );
        tag.set_for_session(&mut sql, standing_statement, standing_lock);
        sql.push_str("BEGIN");
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
        if let Some(owner) = begin.owner {
            let _ = write!(sql, "; SET LOCAL application_name = {}", shown(owner));
        }
        if statement != standing_statement {
            let _ = write!(sql, "; SET LOCAL statement_timeout = {statement}");
        }
        if lock != standing_lock {
            let _ = write!(sql, "; SET LOCAL lock_timeout = {lock}");
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

    fn strings_escape(tag: &PgTag) -> bool {
        tag.strings_escape
    }

    fn forget_settings(tag: &mut PgTag) {
        tag.statement_timeout.forget();
        tag.lock_timeout.forget();
    }

    fn cancel(tag: &PgTag) -> Option<String> {
        Some(tag.aimed_at("pg_cancel_backend"))
    }

    fn terminate(tag: &PgTag) -> Option<String> {
        Some(tag.aimed_at("pg_terminate_backend"))
    }
}

impl PgTag {
    /// Calls a function on this very backend, and on no other that has got its process id.
    fn aimed_at(&self, function: &str) -> String {
        let Self { pid, started, .. } = self;
        format!(
            "SELECT {function}(pid) FROM pg_stat_get_activity({pid}) WHERE {STARTED} = {started}"
        )
    }

    fn set_for_session(&mut self, sql: &mut String, statement: u64, lock: u64) {
        if let Some(millis) = self.statement_timeout.change(statement) {
            let _ = write!(sql, "SET statement_timeout = {millis}; ");
        }
        if let Some(millis) = self.lock_timeout.change(lock) {
            let _ = write!(sql, "SET lock_timeout = {millis}; ");
        }
    }
}

/// `operation#id` as a literal. The server cuts names at 63 bytes and takes nothing but ASCII; the id shall stay. An
/// escape string reads the same under every setting.
fn shown(owner: Owner) -> String {
    let id = format!("#{}", owner.id);
    let mut literal = String::from("E'");
    for character in owner.operation.chars().take(63 - id.len()) {
        match character {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            ' '..='~' => literal.push(character),
            _ => literal.push('?'),
        }
    }
    literal.push_str(&id);
    literal.push('\'');
    literal
}

/// 0 would mean no limit at all, and the settings are 32-bit numbers.
fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i32::MAX as u64)
}
