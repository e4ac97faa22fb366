use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(fixed, exponential, max = 3)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
