// Trap 3: a failure that is not an error commits.
use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) {
    let _ = session;
}

fn main() {}
