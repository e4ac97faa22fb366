// Trap 23: a stream or a session outlives its transaction.
use steadfast::{Error, PgSession, with_session};

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), Error> {
    let mut kept: Option<&mut PgSession> = None;
    session
        .savepoint(async |session| {
            kept = Some(session);
            Ok::<_, Error>(())
        })
        .await
}

fn main() {}
