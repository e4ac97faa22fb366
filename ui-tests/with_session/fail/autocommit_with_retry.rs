// Trap 25: a retry without a transaction repeats what was done.
use steadfast::{PgSession, retry, with_session};

#[with_session(autocommit)]
#[retry(max = 3)]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
