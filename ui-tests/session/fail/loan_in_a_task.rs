// Trap 23: a stream or a session outlives its transaction.
use steadfast::{Error, PgSessionPool};

async fn archive(pool: &PgSessionPool) -> Result<(), Error> {
    let mut session = pool.begin().await?;
    let connection = session.raw().await?;
    tokio::spawn(async move { sqlx::query("DELETE FROM orders").execute(connection).await });
    session.commit().await
}

fn main() {}
