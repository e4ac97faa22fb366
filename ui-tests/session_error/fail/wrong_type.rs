use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    Refused,
    #[session]
    Db(sqlx::Error),
}

fn main() {
    let _ = (BankError::Refused, BankError::Db);
}
