use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer<'s>(session: &'s mut PgSession, note: &'s str) -> Result<&'s str, steadfast::Error> {
    let _ = session;
    Ok(note)
}

fn main() {}
