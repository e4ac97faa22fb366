//! PostgreSQL.
//!
//! One control statement is one simple query, so options travel with BEGIN in the same round trip. Any
//! error of the server aborts the transaction (to the innermost savepoint), and COMMIT of an aborted one
//! answers without an error: the shield therefore never sends it where an error was seen, and sends a
//! SAVEPOINT ahead of it where something was not seen to its end.

mod opening;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres, Row as _};

use super::setting::Setting;
use super::shared::{delegate_to_sqlx, flush_all, out_of_step};
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

/// What somebody has done on the connection whom nobody watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwatched {
    Nothing,
    Something,
    /// The proof behind it has found that the session's transaction was ended.
    Ended,
}

/// Outside of a transaction each query is one of its own and begins with it; the answer of a query that runs in one
/// comes too late for that.
const IS_OUTSIDE: &str = "SELECT transaction_timestamp() = statement_timestamp()";

/// When a backend was started: with its process id, what no other backend has.
const STARTED: &str = "(extract(epoch FROM backend_start) * 1000000)::bigint";

/// Who serves this connection. The login may ask that, and no role that it has taken for all its work
/// (`ALTER ROLE … SET role`).
const WHO: &str = "BEGIN; SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; \
    SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint \
    FROM pg_stat_get_activity(pg_backend_pid()); \
    ROLLBACK";

/// The limits that stand on it, how it reads strings, and where the ledger is, or would be made.
const STANDS: &str = "SELECT \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'), \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'), \
    current_setting('standard_conforming_strings') = 'off', \
    quote_ident(coalesce((SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
        WHERE c.oid = to_regclass('steadfast_ledger')), current_schema()))";

/// What ends the statements that were prepared in SQL.
const PREPARED: &str = "SELECT string_agg(format('DEALLOCATE %I', name), '; ') FROM pg_prepared_statements WHERE from_sql";

/// The server looks once a second whether its client is still there (PostgreSQL 14 and later, where the platform can):
/// without it, a query whose client has gone keeps its locks to its end.
const WATCH: &str = "SET client_connection_check_interval = '1s'";

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
        Box::pin(async move {
            let watched = if connection
                .server_version_num()
                .is_none_or(|version| version >= 140_000)
            {
                let batch = format!("{WHO}; {WATCH}; {STANDS}");
                connection.fetch_all(sqlx::AssertSqlSafe(batch)).await.ok()
            } else {
                None
            };
            let watches_client = watched.is_some();
            let rows = if let Some(rows) = watched {
                rows
            } else {
                let batch = format!("{WHO}; {STANDS}");
                connection.fetch_all(sqlx::AssertSqlSafe(batch)).await?
            };
            let [who, stands] = &*rows else {
                return Err(out_of_step());
            };
            let millis = |setting: i64| Setting::new(setting.try_into().unwrap_or(0));
            Ok(PgTag {
                pid: who.try_get(0)?,
                started: who.try_get(1)?,
                watches_client,
                statement_timeout: millis(stands.try_get(0)?),
                transaction_limit: 0,
                lock_timeout: millis(stands.try_get(1)?),
                strings_escape: stands.try_get(2)?,
                unwatched: Unwatched::Nothing,
                suspicion: None,
                meddled: OnceLock::new(),
                schema: stands.try_get::<Option<String>, _>(3)?.map(Into::into),
            })
        })
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

    /// `57014` is also what somebody's `pg_cancel_backend` answers, and the server's words are in its own language.
    fn reached_limit(
        tag: &PgTag,
        error: &sqlx::Error,
        ran: Duration,
        in_transaction: bool,
    ) -> bool {
        let limit = if in_transaction {
            tag.transaction_limit
        } else {
            tag.statement_timeout.kept()
        };
        let by_request = || {
            let answer = error.as_database_error();
            answer.is_some_and(|answer| answer.message().contains("user request"))
        };
        limit != 0
            && ran >= Duration::from_millis(limit)
            && has_code(error, "57014")
            && !by_request()
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

/// Sends a question that no other answer fits, behind what is `ahead` of it. `Ok(Some(_))` says that the transaction has
/// failed.
async fn resync(
    connection: &mut PgConnection,
    ahead: &str,
) -> Result<Option<sqlx::Error>, sqlx::Error> {
    // sqlx does not count the answers of a COPY that nobody has read to its end.
    let nonce = format!("n{:032x}", fastrand::u128(..));
    let question = sqlx::AssertSqlSafe(format!("{ahead}SELECT '{nonce}'"));
    let (is_answer, failed) = match sqlx::raw_sql(question).fetch_one(&mut *connection).await {
        Ok(row) => (row.try_get::<String, _>(0)? == nonce, None),
        // It answers nothing but mistakes.
        Err(failed) if Postgres::in_failed_transaction(&failed) => {
            let mistake = sqlx::AssertSqlSafe(nonce.clone());
            let is_answer = match connection.execute(mistake).await {
                Err(sqlx::Error::Database(error)) => error.message().contains(&nonce),
                Err(error) => return Err(error),
                Ok(_) => false,
            };
            (is_answer, Some(failed))
        }
        Err(error) => return Err(error),
    };
    if is_answer {
        return Ok(failed);
    }
    Err(out_of_step())
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

    /// Says whether nothing is left to be rolled back.
    async fn find_meddling(
        &self,
        connection: &mut PgConnection,
        suspicion: &Suspicion,
    ) -> Result<bool, sqlx::Error> {
        let (meddled, is_over) = match suspicion {
            Suspicion::Ended { savepoint } => {
                let batch = format!("ROLLBACK TO SAVEPOINT {savepoint}; ROLLBACK");
                match connection.execute(sqlx::AssertSqlSafe(batch)).await {
                    Ok(_) => (false, true),
                    Err(error) if Postgres::transaction_gone(&error) => (true, false),
                    Err(error) => return Err(error),
                }
            }
            Suspicion::Opened => match connection.fetch_one(IS_OUTSIDE).await {
                Ok(row) => {
                    let is_outside: bool = row.try_get(0)?;
                    (!is_outside, is_outside)
                }
                Err(error) if Postgres::in_failed_transaction(&error) => (true, false),
                Err(error) => return Err(error),
            },
        };
        let _ = self.meddled.set(meddled);
        Ok(is_over)
    }
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(code))
}
