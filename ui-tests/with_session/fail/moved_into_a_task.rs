// Trap 19: two tasks use one session at once.
use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), sqlx::Error> {
    tokio::spawn(async move {
        sqlx::query("UPDATE accounts SET cents = 0").execute(session).await
    });
    Ok(())
}

fn main() {}
