use steadfast::retry as r;
use steadfast::{PgSession, with_session};

#[with_session]
#[r]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
