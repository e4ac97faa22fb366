use steadfast::{PgSession, retry, with_session};

#[with_session(autocommit, isolation = serializable, timeout = "1s", lock_timeout = "2s")]
#[retry(verify_commit, within = "3s")]
async fn report(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
