use steadfast::with_session as managed;
use steadfast::{PgSession, retry};

#[retry]
#[managed]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
