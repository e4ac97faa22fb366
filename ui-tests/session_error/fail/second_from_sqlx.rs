use steadfast::SessionError;

#[derive(Debug, thiserror::Error, SessionError)]
enum BankError {
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    #[error(transparent)]
    #[session]
    Db(steadfast::Error),
}

fn main() {
    let _ = (BankError::Sqlx, BankError::Db);
}
