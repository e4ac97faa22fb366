// Trap 23: a stream or a session outlives its transaction.
use steadfast::{Error, PgSessionPool};

async fn transfer(pool: &PgSessionPool) -> Result<(), Error> {
    let mut lease = pool.acquire().await?;
    pool.release(lease).await?;
    sqlx::query("SELECT 1").execute(&mut *lease).await?;
    Ok(())
}

fn main() {}
