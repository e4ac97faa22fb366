//! Siblings that hide and are found all the same.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::retry as again;
use steadfast::{Error, PgSession, db_error_handling, retry, with_session};

#[again(max = 2)]
#[with_session]
async fn renamed_on_top(session: &mut PgSession, name: String) -> Result<usize, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.len())
}

#[with_session]
#[cfg_attr(not(doc), retry(max = 2))]
#[cfg_attr(not(doc), db_error_handling)]
async fn behind_cfg_attr(session: &mut PgSession, name: String) -> Result<usize, Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.len())
}

/// With the retry there, this argument would be refused.
#[with_session]
#[cfg_attr(doc, retry(max = 2))]
async fn behind_a_false_cfg_attr(session: &mut PgSession, log: &mut Vec<u8>) -> Result<(), Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    log.push(1);
    Ok(())
}

fn main() {}
