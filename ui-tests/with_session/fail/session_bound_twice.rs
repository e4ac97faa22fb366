use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession, session: i64) -> Result<i64, steadfast::Error> {
    Ok(session)
}

fn main() {}
