// Trap 23: a stream or a session outlives its transaction.
use futures_core::Stream;
use steadfast::{PgSession, with_session};

async fn read(rows: impl Stream) {
    let _ = rows;
}

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), sqlx::Error> {
    let orders = sqlx::query("SELECT * FROM orders").fetch(&mut *session);
    sqlx::query("DELETE FROM orders").execute(&mut *session).await?;
    read(orders).await;
    Ok(())
}

fn main() {}
