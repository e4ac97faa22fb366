use steadfast::{PgSession, with_session};

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let connection = session.raw().await?;
    sqlx::query("DELETE FROM orders").execute(&mut *session).await?;
    sqlx::query("DELETE FROM customers").execute(connection).await?;
    Ok(())
}

fn main() {}
