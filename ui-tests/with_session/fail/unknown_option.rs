use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session(isolatoin = serializable)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
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
