//! On functions without a session of their own, async and not.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, PgSession, SessionError, db_error_handling};

#[derive(Debug, SessionError)]
enum LookupError {
    Nobody,
    #[session]
    Db(Error),
}

#[db_error_handling(not_found => LookupError::Nobody)]
async fn within_a_session(session: &mut PgSession, mut id: i64) -> Result<i64, LookupError> {
    id += 1;
    sqlx::query("SELECT 1")
        .bind(id)
        .fetch_one(&mut *session)
        .await?;
    Ok(id)
}

#[db_error_handling(not_found => LookupError::Nobody)]
fn synchronous(name: &str, mut n: usize) -> Result<usize, LookupError> {
    n += 1;
    if name.is_empty() {
        return Err(LookupError::Nobody);
    }
    Ok(name.len() + n)
}

#[db_error_handling]
fn lends_again(list: &mut Vec<u8>) -> Result<&mut u8, LookupError> {
    list.push(1);
    list.last_mut().ok_or(LookupError::Nobody)
}

struct Names(Vec<String>);

impl Names {
    #[db_error_handling]
    fn first(&mut self) -> Result<&mut String, LookupError> {
        self.0.first_mut().ok_or(LookupError::Nobody)
    }
}

fn main() {}
