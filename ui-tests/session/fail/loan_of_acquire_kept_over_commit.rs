// Trap 23: a stream or a session outlives its transaction.
use sqlx::Acquire;
use steadfast::{Error, PgSessionPool};

async fn archive(pool: &PgSessionPool) -> Result<(), Error> {
    let mut session = pool.begin().await?;
    let connection = Acquire::acquire(&mut session).await?;
    session.commit().await?;
    sqlx::query("DELETE FROM orders").execute(connection).await?;
    Ok(())
}

fn main() {}
