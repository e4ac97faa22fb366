use steadfast::{PgSession, retry, with_session};

#[with_session]
#[retry]
async fn rename(session: &mut PgSession, name: impl Into<String>) -> Result<String, steadfast::Error> {
    let _ = session;
    Ok(name.into())
}

fn main() {}
