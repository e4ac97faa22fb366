// Trap 23: a stream or a session outlives its transaction.
use steadfast::{Error, PgSession, PgSessionPool};

async fn transfer(pool: &PgSessionPool) -> Result<(), Error> {
    let mut kept: Option<&mut PgSession> = None;
    pool.session("bank::transfer", async |session| {
        kept = Some(session);
        Ok::<_, Error>(())
    })
    .await
}

fn main() {}
