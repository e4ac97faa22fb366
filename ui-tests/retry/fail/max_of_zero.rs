// Trap 26: "attempts" and "retries" are confused.
use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(max = 0)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
