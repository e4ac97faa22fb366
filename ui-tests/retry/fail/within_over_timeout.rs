use steadfast::{PgSession, retry, with_session};

#[with_session(timeout = "5s")]
#[retry(within = "10s")]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
