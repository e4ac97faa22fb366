//! Every option, and those that go together.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, PgSession, PgSessionPool, RetryPolicy, retry, with_session};

macro_rules! body {
    ($session:ident) => {{
        sqlx::query("SELECT 1").execute($session).await?;
        Ok(())
    }};
}

#[with_session(
    isolation = repeatable_read,
    read_only,
    timeout = "5s",
    statement_timeout = "5s",
    lock_timeout = "250ms",
    nested = savepoint,
    recursive,
    name = "bank::report",
)]
async fn all(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(nested = join)]
async fn joins(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(nested = never, lock_timeout = "1s")]
#[retry]
async fn never_inside(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(autocommit)]
async fn without_a_transaction(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(autocommit, nested = never, statement_timeout = "1h", lock_timeout = "1h")]
#[retry(idempotent)]
async fn repeated_without_a_transaction(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(autocommit)]
#[retry(policy = policy, idempotent)]
async fn repeated_by_a_policy(session: &mut PgSession, policy: RetryPolicy) -> Result<(), Error> {
    body!(session)
}

#[with_session(autocommit)]
#[retry(max = 1)]
async fn tried_once(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(autocommit)]
#[retry(none)]
async fn never_repeated(session: &mut PgSession) -> Result<(), Error> {
    body!(session)
}

#[with_session(pool = pool, autocommit, timeout = "1m")]
async fn from_a_pool(session: &mut PgSession, pool: &PgSessionPool) -> Result<(), Error> {
    body!(session)
}

fn main() {}
