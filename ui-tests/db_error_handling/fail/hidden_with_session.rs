use steadfast::with_session as managed;
use steadfast::{PgSession, db_error_handling};

#[db_error_handling]
#[managed]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
