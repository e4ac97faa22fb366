use steadfast::{PgSession, PgSessionPool, with_session};

fn pool() -> PgSessionPool {
    unimplemented!()
}

#[tokio::main(flavor = "current_thread")]
#[with_session(pool = pool())]
async fn entry(session: &mut PgSession) -> Result<(), steadfast::Error> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

fn main() {
    let _ = entry();
}
