use sqlx::{PgPool, Postgres, Transaction};
use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

async fn caller(pool: PgPool) -> Result<(), steadfast::Error> {
    let mut transaction: Transaction<'_, Postgres> = pool.begin().await?;
    transfer(&mut transaction).await
}

fn main() {
    let _ = caller;
}
