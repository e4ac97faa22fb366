use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(base = "2s", cap = "1s")]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
