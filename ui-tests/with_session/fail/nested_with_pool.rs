use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session(pool = pool, nested = join)]
async fn report(session: &mut PgSession, pool: &PgSessionPool) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
