use steadfast::{PgSession, with_session};

#[with_session]
fn transfer(session: &mut PgSession, cents: i64) -> Result<i64, steadfast::Error> {
    session.execute_somehow("UPDATE accounts SET cents = 0")?;
    Ok(cents)
}

fn main() {}
