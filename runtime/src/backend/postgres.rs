//! PostgreSQL.
//!
//! One control statement is one simple query, so options travel with BEGIN in the same round trip. Any
//! error of the server aborts the transaction (to the innermost savepoint), and COMMIT of an aborted one
//! answers without an error: the shield therefore never sends it where an error was seen, and sends a
//! SAVEPOINT ahead of it where something was not seen to its end.

mod introduction;
mod opening;
mod unwatched;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres, Row as _};

use introduction::{STARTED, WATCH};
use unwatched::{Unwatched, resync};

use super::setting::Setting;
use super::shared::{delegate_to_sqlx, flush_all};
use super::{
    Begin, BoxFuture, Connected, Dialect, Driver, LENT, Options, Scrubbed, Statement, Step,
    Suspicion,
};

/// Which backend serves a connection, and what is set on it.
#[derive(Clone, Debug)]
pub struct PgTag {
    pid: i32,
    /// In microseconds since 1970: the process id may be somebody else's by now.
    started: i64,
    watches_client: bool,
    schema: Option<Arc<str>>,
    statement_timeout: Setting,
    /// What BEGIN has made of it for its transaction alone.
    transaction_limit: u64,
    lock_timeout: Setting,
    strings_escape: bool,
    unwatched: Unwatched,
    suspicion: Option<Suspicion>,
    /// Whether it was justified; asked once, with the rollback.
    meddled: OnceLock<bool>,
}

/// What ends the statements that were prepared in SQL.
const PREPARED: &str = "SELECT string_agg(format('DEALLOCATE %I', name), '; ') FROM pg_prepared_statements WHERE from_sql";

/// `DISCARD ALL` without what sqlx would not notice: the statements that it has prepared.
const RESET: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; UNLISTEN *; \
    SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

impl Driver for Postgres {
    const SYSTEM: &'static str = "postgresql";
    const DIALECT: Dialect = Dialect::Postgres;
    const DROP_DOOMS_SESSION: bool = false;
    const COMMITS_SILENTLY: bool = false;
    const TEXT_IS_TRANSACTION: bool = true;
    const LENDS_IN_SAVEPOINT: bool = true;
    const LEAVES_ERRORS: bool = true;
    const LOSES_ANSWERS: bool = false;

    type Tag = PgTag;

    delegate_to_sqlx!();

    fn parse(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
        url.parse()
    }

    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>> {
        Box::pin(options.connect())
    }

    fn introduce(connection: &mut PgConnection) -> BoxFuture<'_, Result<PgTag, sqlx::Error>> {
        Box::pin(introduction::introduce(connection))
    }

    fn learn<'c>(
        connection: &'c mut PgConnection,
        tag: &'c mut PgTag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(introduction::learn(connection, tag))
    }

    /// A role that the login has taken for all its work may not stop what the login does.
    fn take_control(connection: &mut PgConnection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async move { connection.execute("SET ROLE NONE").await.map(drop) })
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
        tag: &'c PgTag,
        thorough: bool,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            flush_all(connection).await?;
            let is_over = match &tag.suspicion {
                Some(suspicion) if tag.meddled.get().is_none() => {
                    tag.find_meddling(connection, suspicion).await?
                }
                _ => false,
            };
            if !is_over {
                connection.execute("ROLLBACK").await?;
            }
            if thorough && tag.unwatched != Unwatched::Nothing {
                resync(connection, "").await?;
            }
            Ok(())
        })
    }

    fn resync<'c>(
        connection: &'c mut PgConnection,
        tag: &'c mut PgTag,
        renews: bool,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(async move {
            if !renews {
                return resync(connection, "").await;
            }
            // Those that sqlx has rolled back to are there still, under names that it uses again.
            let renewed = format!("RELEASE SAVEPOINT {LENT}; SAVEPOINT {LENT}; ");
            match resync(connection, &renewed).await {
                // Another transaction, if there is one, has failed by that.
                Err(error) if Self::transaction_gone(&error) => {
                    tag.unwatched = Unwatched::Ended;
                    resync(connection, "").await.map(|_| Some(error))
                }
                answer => answer,
            }
        })
    }

    fn is_ours(tag: &PgTag) -> Option<bool> {
        (tag.unwatched == Unwatched::Ended).then_some(false)
    }

    fn scrub<'c>(
        connection: &'c mut PgConnection,
        tag: &'c mut PgTag,
    ) -> BoxFuture<'c, Result<Scrubbed, sqlx::Error>> {
        Box::pin(async move {
            let batch = format!("{PREPARED}; {RESET}; {}", tag.watch().unwrap_or_default());
            let rows = connection.fetch_all(sqlx::AssertSqlSafe(batch)).await?;
            let left = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            let deallocate: Option<String> = left.try_get(0)?;
            tag.statement_timeout.set_back();
            tag.lock_timeout.set_back();
            if let Some(deallocate) = deallocate {
                Self::batch(connection, deallocate.into()).await?;
            }
            // Some may be prepared while a name meant something else, whatever it means now, or gone behind sqlx's
            // back.
            if connection.cached_statements_size() > 0 {
                connection.clear_cached_statements().await?;
            }
            Ok(Scrubbed::Reset)
        })
    }

    fn begin(tag: &mut PgTag, begin: &Begin) -> Cow<'static, str> {
        tag.unwatched = Unwatched::Nothing;
        tag.suspicion = None;
        tag.meddled = OnceLock::new();
        Cow::Owned(opening::text(tag, begin))
    }

    fn commit(tag: &PgTag, unseen: bool, note: &str) -> Cow<'static, str> {
        let mut sql = Cow::Borrowed("");
        if unseen {
            sql.to_mut().push_str("SAVEPOINT steadfast_proof; ");
        }
        if tag.unwatched != Unwatched::Nothing {
            // What was set on it would be committed. A rollback undoes that by itself.
            let (statement, lock) = (tag.statement_timeout.kept(), tag.lock_timeout.kept());
            let _ = write!(
                sql.to_mut(),
                "SET statement_timeout = {statement}; SET lock_timeout = {lock}; "
            );
            if let Some(watch) = tag.watch() {
                let _ = write!(sql.to_mut(), "{watch}; ");
            }
        }
        if !note.is_empty() {
            sql.to_mut().push_str(note);
        }
        sql + "COMMIT"
    }

    fn limit(tag: &PgTag, in_transaction: bool) -> Option<Duration> {
        let limit = if in_transaction {
            tag.transaction_limit
        } else {
            tag.statement_timeout.kept()
        };
        (limit != 0).then(|| Duration::from_millis(limit))
    }

    /// `57014` is also what somebody's `pg_cancel_backend` answers, and the server's words are in its own language.
    fn stopped_by_request(error: &sqlx::Error) -> bool {
        let answer = error.as_database_error();
        answer.is_some_and(|answer| answer.message().contains("user request"))
    }

    fn schema(tag: &PgTag) -> Option<Arc<str>> {
        tag.schema.clone()
    }

    fn lends(tag: &mut PgTag) {
        tag.unwatched = Unwatched::Something;
    }

    fn suspect(tag: &mut PgTag, suspicion: Option<Suspicion>) {
        tag.suspicion = suspicion;
    }

    fn was_meddled_with(tag: &PgTag) -> bool {
        tag.meddled.get() == Some(&true)
    }

    fn transaction_gone(error: &sqlx::Error) -> bool {
        // `no_active_sql_transaction`, and `invalid_savepoint_specification`: another transaction is in its place.
        matches!(error, sqlx::Error::Database(error)
            if matches!(error.code().as_deref(), Some("25P01" | "3B001")))
    }

    fn in_failed_transaction(error: &sqlx::Error) -> bool {
        has_code(error, "25P02")
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
    /// [`WATCH`], on a server that takes it.
    fn watch(&self) -> Option<&'static str> {
        self.watches_client.then_some(WATCH)
    }

    /// Calls a function on this very backend, and on no other that has got its process id.
    fn aimed_at(&self, function: &str) -> String {
        let Self { pid, started, .. } = self;
        format!(
            "SELECT {function}(pid) FROM pg_stat_get_activity({pid}) WHERE {STARTED} = {started}"
        )
    }
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(code))
}
