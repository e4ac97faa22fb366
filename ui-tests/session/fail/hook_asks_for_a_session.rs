// Trap 16: an after-commit hook uses the finished transaction.
use steadfast::{PgSession, with_session};

#[with_session]
async fn order(session: &mut PgSession) -> Result<(), steadfast::Error> {
    session.on_commit(async |session: &mut PgSession| {
        sqlx::query("UPDATE orders SET told = true").execute(session).await.map(drop)
    });
    Ok(())
}

fn main() {}
