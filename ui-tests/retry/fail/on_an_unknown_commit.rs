// Trap 8: a commit in doubt is treated as transient.
use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(on(commit_unknown))]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
