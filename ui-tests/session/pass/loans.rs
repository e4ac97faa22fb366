//! Loans that end before the session goes on.

use sqlx::{Acquire, PgConnection, Postgres};
use steadfast::{Error, PgSession, PgSessionPool, with_session};

async fn by_connection(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(())
}

async fn by_acquire<'a>(source: impl Acquire<'a, Database = Postgres> + Send) -> sqlx::Result<()> {
    let mut transaction = source.begin().await?;
    by_connection(&mut transaction).await?;
    transaction.commit().await
}

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), Error> {
    by_connection(session.raw().await?).await?;
    by_acquire(&mut *session).await?;
    let connection = session.raw().await?;
    by_connection(connection).await?;
    by_acquire(connection).await?;
    sqlx::query("SELECT 1").execute(&mut *session).await?;
    Ok(())
}

#[with_session]
async fn on_a_connection(connection: &mut PgConnection) -> sqlx::Result<()> {
    by_connection(connection).await?;
    by_acquire(connection).await
}

fn sendable(_: impl Future + Send) {}

fn main() {
    let _ = |pool: &PgSessionPool| {
        sendable(archive(pool));
        sendable(on_a_connection(pool));
    };
}
