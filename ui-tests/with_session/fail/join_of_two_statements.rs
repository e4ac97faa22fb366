// Trap 19: two tasks use one session at once.
use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), sqlx::Error> {
    let (debit, credit) = tokio::join!(
        sqlx::query("UPDATE accounts SET cents = 1").execute(&mut *session),
        sqlx::query("UPDATE accounts SET cents = 2").execute(&mut *session),
    );
    debit?;
    credit?;
    Ok(())
}

fn main() {}
