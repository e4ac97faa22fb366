use steadfast::{PgSession, with_session};

#[with_session(autocommit, nested = savepoint)]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
