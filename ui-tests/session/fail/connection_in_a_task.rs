// Trap 23: a stream or a session outlives its transaction.
use sqlx::PgConnection;
use steadfast::with_session;

#[with_session]
async fn archive(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    tokio::spawn(async move { sqlx::query("DELETE FROM orders").execute(connection).await });
    Ok(())
}

fn main() {}
