// Trap 23: a stream or a session outlives its transaction.
use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer<'a>(
    session: &mut PgSession,
    kept: &mut Option<&'a mut PgSession>,
) -> Result<(), steadfast::Error> {
    *kept = Some(session);
    Ok(())
}

fn main() {}
