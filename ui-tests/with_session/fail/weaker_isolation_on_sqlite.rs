use steadfast::{SqliteSession, with_session};

#[with_session(isolation = read_committed)]
async fn transfer(session: &mut SqliteSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
