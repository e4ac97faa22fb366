use steadfast::{PgSession, retry, with_session};

#[with_session(read_only)]
#[retry(verify_commit)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
