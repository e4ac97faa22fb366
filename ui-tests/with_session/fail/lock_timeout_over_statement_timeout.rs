use steadfast::{PgSession, with_session};

#[with_session(lock_timeout = "2s", statement_timeout = "1s")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
