// Trap 12: wrapping an error hides that it is retryable.
use steadfast::{PgSession, with_session};

#[derive(Debug)]
struct Refused;

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), Refused> {
    let _ = session;
    Err(Refused)
}

fn main() {}
