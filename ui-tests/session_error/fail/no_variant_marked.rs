use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    Refused,
    Db(steadfast::Error),
}

fn main() {
    let _ = (BankError::Refused, BankError::Db);
}
