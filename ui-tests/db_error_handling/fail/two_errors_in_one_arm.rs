use steadfast::{PgSession, SessionError, db_error_handling, with_session};

#[derive(Debug, SessionError)]
enum Refused {
    Taken,
    Late,
    #[session]
    Db(steadfast::Error),
}

#[with_session]
#[db_error_handling(unique | check => Refused::Late)]
async fn sign_up(session: &mut PgSession) -> Result<(), Refused> {
    let _ = session;
    Ok(())
}

fn main() {
    let _ = (Refused::Taken, Refused::Late);
}
