//! Without the prelude.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]
#![no_implicit_prelude]

use ::steadfast::{Error, PgSession, SessionError, db_error_handling, retry, with_session};

#[derive(SessionError)]
enum Refused {
    Taken,
    #[session]
    Db(Error),
}

#[derive(SessionError)]
enum Outer {
    Refused {
        source: Refused,
    },
    #[session]
    Db(Error),
}

#[with_session(isolation = repeatable_read, timeout = "2s")]
#[retry(max = 3, jitter = none, on(unique))]
#[db_error_handling(unique("users_email_key") => Refused::Taken)]
async fn all(
    session: &mut PgSession,
    name: ::std::string::String,
    (a, _b): (u8, u8),
) -> ::core::result::Result<u8, Refused> {
    ::sqlx::query("SELECT 1")
        .bind(name)
        .execute(session)
        .await?;
    ::core::result::Result::Ok(a)
}

#[retry]
async fn alone() -> ::core::result::Result<u8, Refused> {
    ::core::result::Result::Ok(1)
}

#[db_error_handling]
fn synchronous() -> ::core::result::Result<u8, Refused> {
    ::core::result::Result::Ok(1)
}

fn main() {}
