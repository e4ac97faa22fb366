//! Every way to write a policy.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, PgSession, RetryPolicy, retry, with_session};

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

fn main() {}
