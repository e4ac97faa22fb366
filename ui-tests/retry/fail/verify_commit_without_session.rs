use steadfast::{PgSessionPool, retry};

#[retry(verify_commit)]
async fn transfer(pool: &PgSessionPool) -> Result<(), steadfast::Error> {
    sqlx::query("SELECT 1").execute(pool).await?;
    Ok(())
}

fn main() {}
