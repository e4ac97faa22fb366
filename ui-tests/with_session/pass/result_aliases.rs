//! A `Result` by any name.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{PgSession, db_error_handling, retry, with_session};

#[with_session]
#[retry]
async fn of_sqlx(session: &mut PgSession, id: i64) -> sqlx::Result<u64> {
    let done = sqlx::query("SELECT 1").bind(id).execute(session).await?;
    Ok(done.rows_affected())
}

#[with_session]
#[retry(max = 3)]
#[db_error_handling]
async fn of_anyhow(session: &mut PgSession, name: &str) -> anyhow::Result<u64> {
    anyhow::ensure!(!name.is_empty(), "a name is needed");
    let done = sqlx::query("SELECT 1").bind(name).execute(session).await?;
    Ok(done.rows_affected())
}

#[with_session]
async fn of_steadfast(session: &mut PgSession) -> Result<u64, steadfast::Error> {
    Ok(of_sqlx(session, 1).await?)
}

fn main() {}
