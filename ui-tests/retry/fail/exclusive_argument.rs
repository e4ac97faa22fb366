// Trap 13: state captured by a failed attempt leaks into the next.
use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry]
async fn transfer(session: &mut PgSession, log: &mut Vec<String>) -> Result<(), steadfast::Error> {
    let _ = session;
    log.push("started".to_owned());
    Ok(())
}

fn main() {}
