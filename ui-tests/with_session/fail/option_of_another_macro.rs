use steadfast::{PgSession, with_session};

#[with_session(max = 3)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
