use steadfast::{Error, PgSession, retry, with_session};

#[with_session]
#[retry(5)]
async fn transfer(session: &mut PgSession) -> Result<(), Error> {
    let _ = session;
    Ok(())
}

fn main() {}
