//! What a new connection is asked: who serves it, and what stands on it; and behind what the user has set, the latter
//! again.

use std::sync::OnceLock;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Executor as _, Row as _};

use super::PgTag;
use super::unwatched::Unwatched;
use crate::backend::setting::Setting;
use crate::backend::shared::out_of_step;

/// The server looks once a second whether its client is still there (PostgreSQL 14 and later, where the platform can):
/// without it, a query whose client has gone keeps its locks to its end.
pub(super) const WATCH: &str = "SET client_connection_check_interval = '1s'";

/// When a backend was started: with its process id, what no other backend has.
pub(super) const STARTED: &str = "(extract(epoch FROM backend_start) * 1000000)::bigint";

/// The limits that stand on it, how it reads strings, and where the ledger is, or would be made.
const STANDS: &str = "SELECT \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'), \
    (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'), \
    current_setting('standard_conforming_strings') = 'off', \
    quote_ident(coalesce((SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
        WHERE c.oid = to_regclass('steadfast_ledger')), current_schema()))";

/// Who serves this connection. The login may ask that, and no role that it has taken for all its work
/// (`ALTER ROLE … SET role`).
fn who() -> String {
    format!(
        "BEGIN; SET LOCAL ROLE NONE; \
         SELECT pid, {STARTED} FROM pg_stat_get_activity(pg_backend_pid()); ROLLBACK"
    )
}

pub(super) async fn introduce(connection: &mut PgConnection) -> Result<PgTag, sqlx::Error> {
    let who = who();
    let (mut rows, mut undo) = (None, "");
    if connection
        .server_version_num()
        .is_none_or(|version| version >= 140_000)
    {
        let batch = format!("{who}; {WATCH}; {STANDS}");
        rows = connection.fetch_all(sqlx::AssertSqlSafe(batch)).await.ok();
        // The transaction in which it asked may have failed.
        undo = "ROLLBACK; ";
    }
    let watches_client = rows.is_some();
    let rows = if let Some(rows) = rows {
        rows
    } else {
        let batch = format!("{undo}{who}; {STANDS}");
        connection.fetch_all(sqlx::AssertSqlSafe(batch)).await?
    };
    let [who, stands] = &*rows else {
        return Err(out_of_step());
    };
    let mut tag = PgTag {
        pid: who.try_get(0)?,
        started: who.try_get(1)?,
        watches_client,
        statement_timeout: Setting::new(0),
        transaction_limit: 0,
        lock_timeout: Setting::new(0),
        strings_escape: false,
        unwatched: Unwatched::Nothing,
        suspicion: None,
        meddled: OnceLock::new(),
        schema: None,
    };
    tag.stand(stands)?;
    Ok(tag)
}

pub(super) async fn learn(
    connection: &mut PgConnection,
    tag: &mut PgTag,
) -> Result<(), sqlx::Error> {
    // Somebody may have ended that, with `RESET ALL`.
    let batch = format!("{}; {STANDS}", tag.watch().unwrap_or_default());
    let stands = connection.fetch_one(sqlx::AssertSqlSafe(batch)).await?;
    tag.stand(&stands)
}

impl PgTag {
    fn stand(&mut self, stands: &PgRow) -> Result<(), sqlx::Error> {
        let millis = |setting: i64| Setting::new(setting.try_into().unwrap_or(0));
        self.statement_timeout = millis(stands.try_get(0)?);
        self.lock_timeout = millis(stands.try_get(1)?);
        self.strings_escape = stands.try_get(2)?;
        self.schema = stands.try_get::<Option<String>, _>(3)?.map(Into::into);
        Ok(())
    }
}
