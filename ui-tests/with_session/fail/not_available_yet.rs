use steadfast::{PgSession, with_session};

#[with_session(autocommit, lock_timeout = "1s", nested = join, pool = "reports")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
