//! Another name for the crate.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

mod vendored {
    pub(crate) use steadfast as sf;
}

use vendored::sf::{Error, PgSession, SessionError};

#[derive(SessionError)]
#[session(crate = crate::vendored::sf)]
enum Refused {
    Taken,
    #[session]
    Db(Error),
}

#[derive(SessionError)]
#[session(crate = crate::vendored::sf)]
enum Outer {
    Refused {
        source: Refused,
    },
    #[session]
    Db(Error),
}

#[vendored::sf::with_session(crate = vendored::sf)]
#[vendored::sf::retry(max = 2)]
#[vendored::sf::db_error_handling(unique => Refused::Taken)]
async fn all(session: &mut PgSession, name: String) -> Result<usize, Refused> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(name.len())
}

#[vendored::sf::retry(crate = crate::vendored::sf)]
async fn alone() -> Result<u8, Refused> {
    Ok(1)
}

fn main() {}
