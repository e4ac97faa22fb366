use steadfast::{PgSession, retry, with_session};

#[with_session(timeout = "500ms")]
#[retry(fixed)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
