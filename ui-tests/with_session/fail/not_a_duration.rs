use steadfast::{PgSession, with_session};

#[with_session(timeout = "5 seconds")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
