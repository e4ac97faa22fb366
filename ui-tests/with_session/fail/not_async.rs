use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session]
fn transfer(session: &mut PgSession) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("UPDATE accounts SET cents = 0").execute(&mut *session).await?;
    Ok(done.rows_affected())
}

/// The function is there all the same.
async fn caller(pool: PgSessionPool) -> Result<u64, sqlx::Error> {
    transfer(&pool).await
}

fn main() {
    let _ = caller;
}
