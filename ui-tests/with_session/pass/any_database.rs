//! One function for every database.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{
    Backend, Error, MySqlSessionPool, PgSessionPool, Session, SqliteSessionPool, retry,
    with_session,
};

#[with_session(isolation = serializable, timeout = "5s")]
#[retry]
async fn double<DB: Backend>(session: &mut Session<DB>, number: u64) -> Result<u64, Error> {
    Ok(number * session.id() / session.id())
}

async fn calls(
    pg: PgSessionPool,
    mysql: MySqlSessionPool,
    sqlite: SqliteSessionPool,
) -> Result<u64, Error> {
    Ok(double(&pg, 1).await? + double(&mysql, 2).await? + double(&sqlite, 3).await?)
}

fn main() {}
