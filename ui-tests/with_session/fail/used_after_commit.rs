// Trap 23: a stream or a session outlives its transaction.
use steadfast::PgSessionPool;

async fn transfer(pool: &PgSessionPool) -> Result<(), steadfast::Error> {
    let mut session = pool.begin().await?;
    session.commit().await?;
    sqlx::query("UPDATE accounts SET cents = 0").execute(&mut session).await?;
    Ok(())
}

fn main() {
    let _ = transfer;
}
