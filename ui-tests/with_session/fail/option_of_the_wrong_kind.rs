use steadfast::{PgSession, with_session};

#[with_session(timeout = 5, read_only = true, isolation = "serializable")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
