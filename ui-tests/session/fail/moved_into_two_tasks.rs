// Trap 19: two tasks use one session at once.
use steadfast::{Error, PgSessionPool};

async fn archive(pool: &PgSessionPool) -> Result<(), Error> {
    let mut session = pool.begin().await?;
    tokio::spawn(async move { sqlx::query("DELETE FROM orders").execute(&mut session).await });
    tokio::spawn(async move { sqlx::query("DELETE FROM customers").execute(&mut session).await });
    Ok(())
}

fn main() {}
