use steadfast::{PgSession, with_session};

#[with_session]
fn transfer(session: &mut PgSession) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("UPDATE accounts SET cents = 0").execute(&mut *session).await?;
    Ok(done.rows_affected())
}

fn main() {}
