use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(jiter = full)]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
