use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    #[session]
    #[session]
    Db(steadfast::Error),
}

fn main() {
    let _ = BankError::Db;
}
