// Trap 23: a stream or a session outlives its transaction.
use futures_core::Stream;
use steadfast::{Error, PgSessionPool};

async fn read(rows: impl Stream) {
    let _ = rows;
}

async fn archive(pool: &PgSessionPool) -> Result<(), Error> {
    let mut session = pool.begin().await?;
    let orders = sqlx::query("SELECT * FROM orders").fetch(&mut session);
    session.commit().await?;
    read(orders).await;
    Ok(())
}

fn main() {}
