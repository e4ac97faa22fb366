//! Every kind of arm.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, PgSession, SessionError, db_error_handling, retry, with_session};

#[derive(Debug, SessionError)]
enum SignUpError {
    EmailTaken,
    NameTaken,
    NoSuchTenant,
    Refused(String),
    #[session]
    Db(Error),
}

#[with_session]
#[retry]
#[db_error_handling(
    unique("users_email_key") => SignUpError::EmailTaken,
    unique("users.name") => SignUpError::NameTaken,
    foreign_key => SignUpError::NoSuchTenant,
    integrity => SignUpError::Refused(format!("{} is not allowed", "this")),
    not_found => SignUpError::NoSuchTenant,
    retryable => SignUpError::Refused("try later".to_owned()),
    programming => SignUpError::Refused(String::new()),
    query => SignUpError::NoSuchTenant,
)]
async fn sign_up(session: &mut PgSession, email: &str) -> Result<(), SignUpError> {
    sqlx::query("SELECT 1").bind(email).execute(session).await?;
    Ok(())
}

fn main() {}
