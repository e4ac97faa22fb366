use sqlx::Acquire;
use steadfast::{PgSession, with_session};

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let mut transaction = Acquire::begin(&mut *session).await?;
    sqlx::query("DELETE FROM orders").execute(&mut *session).await?;
    sqlx::query("DELETE FROM customers").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

fn main() {}
