use steadfast::{PgSession, retry, with_session};

#[with_session(crate = ::steadfast)]
#[retry(crate = steadfast)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
