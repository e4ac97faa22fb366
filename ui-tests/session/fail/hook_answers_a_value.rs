use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session]
async fn order(session: &mut PgSession, pool: &PgSessionPool) -> Result<(), steadfast::Error> {
    let pool = pool.clone();
    session.on_commit(async move { sqlx::query("UPDATE orders SET told = true").execute(&pool).await });
    Ok(())
}

fn main() {}
