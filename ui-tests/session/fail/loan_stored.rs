// Trap 23: a stream or a session outlives its transaction.
use sqlx::PgConnection;
use steadfast::{PgSession, with_session};

struct Repository<'a> {
    connection: Option<&'a mut PgConnection>,
}

#[with_session]
async fn open<'a>(
    session: &mut PgSession,
    repository: &mut Repository<'a>,
) -> Result<(), steadfast::Error> {
    repository.connection = Some(session.raw().await?);
    Ok(())
}

fn main() {}
