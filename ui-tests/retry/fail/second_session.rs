use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry]
async fn transfer(session: &mut PgSession, other: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = (session, other);
    Ok(())
}

fn main() {}
