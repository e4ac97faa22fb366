// Trap 19: two tasks use one session at once.
use steadfast::{PgSession, with_session};

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), sqlx::Error> {
    let (orders, customers) = tokio::join!(
        async { sqlx::query("DELETE FROM orders").execute(&mut *session).await },
        async { sqlx::query("DELETE FROM customers").execute(&mut *session).await },
    );
    orders?;
    customers?;
    Ok(())
}

fn main() {}
