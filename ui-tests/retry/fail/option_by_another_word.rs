use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(retries = 4)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
