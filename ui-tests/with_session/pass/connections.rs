//! sqlx's own connections in place of the session.
#![deny(
    warnings,
    clippy::pedantic,
    missing_docs,
    unused_qualifications,
    rust_2018_idioms
)]
#![allow(dead_code)]

use sqlx::{Acquire, MySqlConnection, PgConnection, SqliteConnection};
use steadfast::{
    Error, MySqlSessionPool, PgSession, PgSessionPool, SessionError, SqliteSessionPool,
    db_error_handling, retry, with_session,
};

type Connection = PgConnection;

/// A helper as it was written for sqlx.
async fn helper(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT 1").execute(&mut *transaction).await?;
    transaction.commit().await
}

#[with_session]
async fn calls_a_helper(connection: &mut PgConnection, id: i64, name: &str) -> Result<i64, Error> {
    sqlx::query("SELECT 1")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    helper(connection).await?;
    Ok(id)
}

#[derive(Debug, SessionError)]
enum Refused {
    Late,
    #[session]
    Db(Error),
}

#[with_session(read_only)]
#[retry]
#[db_error_handling(timeout => Refused::Late)]
async fn by_an_alias(connection: &mut Connection, name: String) -> Result<usize, Refused> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(name.len())
}

#[with_session(timeout = "1s")]
async fn of_mysql(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(())
}

#[with_session]
async fn of_sqlite(mut connection: &mut SqliteConnection) -> sqlx::Result<()> {
    connection = again(connection).await?;
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(())
}

async fn again(connection: &mut SqliteConnection) -> sqlx::Result<&mut SqliteConnection> {
    sqlx::query("SELECT 1").execute(&mut *connection).await?;
    Ok(connection)
}

#[with_session]
async fn unnamed(_: &mut SqliteConnection) -> Result<u8, Error> {
    Ok(1)
}

#[with_session]
async fn unused(_connection: &mut SqliteConnection) -> Result<u8, Error> {
    Ok(1)
}

#[with_session]
async fn impl_result(connection: &mut PgConnection) -> Result<impl Iterator<Item = u8>, Error> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok([1, 2].into_iter())
}

/// Inside a session as well.
#[with_session]
async fn nests(session: &mut PgSession) -> Result<i64, Error> {
    calls_a_helper(&mut *session, 1, "a").await?;
    calls_a_helper(session, 2, "b").await
}

struct Bank {
    pool: PgSessionPool,
    name: String,
}

impl Bank {
    #[with_session(pool = self.pool)]
    async fn name(&self, connection: &mut PgConnection) -> Result<&str, Error> {
        sqlx::query("SELECT 1").execute(connection).await?;
        Ok(&self.name)
    }
}

fn sends(pg: PgSessionPool, mysql: MySqlSessionPool, sqlite: SqliteSessionPool, bank: Bank) {
    tokio::spawn(async move {
        let name = String::from("a");
        calls_a_helper(&pg, 1, &name).await?;
        by_an_alias(&pg, name).await.ok();
        of_mysql(&mysql).await?;
        of_sqlite(&sqlite).await?;
        unnamed(&sqlite).await?;
        unused(&sqlite).await?;
        let numbers = impl_result(&pg).await?;
        nests(&pg).await?;
        bank.name().await?;
        Ok::<_, Error>(numbers.count())
    });
}

fn main() {}
