use steadfast::SessionError;

#[derive(Debug, thiserror::Error, SessionError)]
enum BankError {
    #[error("refused")]
    Refused,
    #[error(transparent)]
    #[session]
    Db(#[from] steadfast::Error),
}

fn main() {
    let _ = BankError::Refused;
}
