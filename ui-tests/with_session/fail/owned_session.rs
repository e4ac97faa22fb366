use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
