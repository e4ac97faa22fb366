use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session]
async fn transfer(from: i64, session: &mut PgSession) -> Result<i64, steadfast::Error> {
    let _ = session;
    Ok(from)
}

/// The function is there all the same.
async fn caller(pool: PgSessionPool) -> Result<i64, steadfast::Error> {
    transfer(1, &pool).await
}

fn main() {
    let _ = caller;
}
