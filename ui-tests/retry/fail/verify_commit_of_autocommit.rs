use steadfast::{PgSession, retry, with_session};

#[with_session(autocommit)]
#[retry(verify_commit, idempotent)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
