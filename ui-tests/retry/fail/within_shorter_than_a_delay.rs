use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(fixed, base = "10s", within = "5s")]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
