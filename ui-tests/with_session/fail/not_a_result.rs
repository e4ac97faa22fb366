// Trap 3: a failure that is not an error commits.
use steadfast::{PgSession, with_session};

#[with_session]
async fn count(session: &mut PgSession) -> Option<i64> {
    let _ = session;
    Some(1)
}

fn main() {}
