use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(from: i64, session: &mut PgSession) -> Result<i64, steadfast::Error> {
    let _ = session;
    Ok(from)
}

fn main() {}
