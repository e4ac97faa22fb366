use sqlx::PgConnection;
use steadfast::retry;

#[retry]
async fn transfer(connection: &mut PgConnection) -> Result<(), steadfast::Error> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(())
}

fn main() {}
