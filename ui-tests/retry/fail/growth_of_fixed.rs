use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry(fixed, factor = 2, cap = "5s")]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
