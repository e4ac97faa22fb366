use sqlx::Connection as _;
use steadfast::{Error, PgSessionPool};

async fn transfer(pool: &PgSessionPool) -> Result<(), Error> {
    let mut lease = pool.acquire().await?;
    let transaction = lease.begin().await?;
    pool.release(lease).await?;
    transaction.commit().await?;
    Ok(())
}

fn main() {}
