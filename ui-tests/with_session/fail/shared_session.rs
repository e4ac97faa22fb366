// Trap 19: two tasks use one session at once.
use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session]
async fn transfer(session: &PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

/// The function is there all the same.
async fn caller(pool: PgSessionPool) -> Result<(), steadfast::Error> {
    transfer(&pool).await
}

fn main() {
    let _ = caller;
}
