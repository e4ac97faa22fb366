use sqlx::PgConnection;
use steadfast::with_session;

#[with_session]
async fn transfer(cents: i64, connection: &mut PgConnection) -> Result<i64, steadfast::Error> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(cents)
}

fn main() {}
