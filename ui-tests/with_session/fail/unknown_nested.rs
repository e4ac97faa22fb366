use steadfast::{PgSession, with_session};

#[with_session(nested = joined)]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
