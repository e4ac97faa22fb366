//! The three in any order, and whatever stands between them.

// Trap 1: the retry runs inside the transaction that failed.
#![deny(warnings, clippy::pedantic, unused_qualifications)]
#![allow(dead_code, unexpected_cfgs)]

use steadfast::{Error, PgSession, PgSessionPool, db_error_handling, retry, with_session};

macro_rules! body {
    ($session:ident) => {{
        sqlx::query("SELECT 1").execute($session).await?;
        Ok(())
    }};
}

#[with_session]
#[retry]
#[db_error_handling]
async fn session_retry_errors(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session]
#[db_error_handling]
#[retry]
async fn session_errors_retry(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[retry]
#[with_session]
#[db_error_handling]
async fn retry_session_errors(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[retry]
#[db_error_handling]
#[with_session]
async fn retry_errors_session(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[db_error_handling]
#[with_session]
#[retry]
async fn errors_session_retry(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[db_error_handling]
#[retry]
#[with_session]
async fn errors_retry_session(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

/// Documented.
#[doc = "More."]
#[retry(max = 3)]
#[allow(clippy::needless_pass_by_value)]
#[tracing::instrument(skip(session), fields(length = name.len()))]
#[with_session]
#[must_use]
#[cfg_attr(doc, doc = "never")]
#[inline]
#[db_error_handling]
async fn others_between(session: &mut PgSession, name: String) -> Result<usize, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.len())
}

#[tracing::instrument]
#[with_session]
#[retry]
async fn instrument_above(session: &mut PgSession, name: &str) -> Result<usize, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.len())
}

#[steadfast::with_session]
#[steadfast::retry]
#[::steadfast::db_error_handling]
async fn qualified(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

async fn pool() -> PgSessionPool {
    unimplemented!()
}

#[with_session(pool = pool().await)]
#[retry]
#[tokio::main(flavor = "current_thread")]
async fn tokio_below(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

fn main() {
    let _: fn() -> Result<(), Error> = tokio_below;
}
