//! Every way to write a policy.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, PgSession, PgSessionPool, RetryPolicy, retry, with_session};

#[with_session]
#[retry(exponential, max = 5, base = "10ms", cap = "1s", factor = 2, jitter = full, within = "10s", on(unique, timeout))]
async fn exponential(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(fixed, base = "50ms", max = 3, jitter = equal)]
async fn fixed(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(immediate, max = 2)]
async fn immediate(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(none)]
async fn none(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(policy = policy)]
async fn given(session: &mut PgSession, policy: RetryPolicy) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(verify_commit)]
async fn verified(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session(timeout = "10s")]
#[retry(fixed, verify_commit, idempotent, within = "10s")]
async fn verified_or_repeated(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[with_session]
#[retry(policy = RetryPolicy::immediate().max(3), verify_commit, idempotent)]
async fn given_and_verified(session: &mut PgSession) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

#[retry(idempotent)]
async fn repeated_without_a_session(pool: &PgSessionPool) -> Result<(), Error> {
    given_and_verified(pool).await
}

#[retry(policy = policy, idempotent)]
async fn given_without_a_session(policy: RetryPolicy, pool: &PgSessionPool) -> Result<(), Error> {
    given_and_verified(pool).await
}

fn main() {}
