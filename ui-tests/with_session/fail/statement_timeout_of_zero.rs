use steadfast::{PgSession, with_session};

#[with_session(statement_timeout = "0ms")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
