use steadfast::{PgSession, SqliteSessionPool, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

async fn caller(pool: SqliteSessionPool) -> Result<(), steadfast::Error> {
    transfer(&pool).await
}

fn main() {
    let _ = caller;
}
