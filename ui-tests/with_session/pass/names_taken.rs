//! Items of the user's with names that generated code must not stumble over.
#![deny(warnings, clippy::pedantic)]
#![allow(
    dead_code,
    non_camel_case_types,
    unused_macros,
    clippy::upper_case_acronyms
)]

use steadfast::{PgSession, SessionError, db_error_handling, retry, with_session};

mod core {
    mod option {}
}
mod std {}
struct Option;
struct Box;
struct Some;
struct None;
struct Ok;
struct Err;
struct u64;
struct Operation;
trait Clone {}
trait From {}

macro_rules! concat {
    () => {};
}
macro_rules! module_path {
    () => {};
}

#[derive(SessionError)]
enum Refused {
    Taken,
    Late,
    #[session]
    Db(steadfast::Error),
}

type Result = ::core::result::Result<u8, Refused>;

#[with_session(isolation = serializable, timeout = "2s", read_only)]
#[retry(max = 3, base = "1ms")]
#[db_error_handling(unique("users_email_key") => Refused::Taken, timeout => Refused::Late)]
async fn all(session: &mut PgSession, name: String) -> Result {
    sqlx::query("SELECT 1").bind(name).execute(session).await?;
    ::core::result::Result::Ok(1)
}

#[db_error_handling]
fn synchronous() -> Result {
    ::core::result::Result::Ok(1)
}

fn main() {}
