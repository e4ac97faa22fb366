use steadfast::{PgSession, with_session};

#[with_session(timeout = "-5s")]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
