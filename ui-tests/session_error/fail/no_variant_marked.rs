use steadfast::{PgSession, SessionError, with_session};

#[derive(Debug, SessionError)]
enum BankError {
    Refused,
    Db(steadfast::Error),
}

/// The mistake is one, however many functions return the error.
#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), BankError> {
    sqlx::query("SELECT 1").execute(session).await?;
    Ok(())
}

fn main() {
    let _ = (BankError::Refused, BankError::Db);
}
