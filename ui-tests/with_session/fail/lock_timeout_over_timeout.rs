use steadfast::{PgSession, with_session};

#[with_session(timeout = "1s", lock_timeout = "1500ms")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
