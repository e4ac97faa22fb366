use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    #[session]
    Db(steadfast::Error, u64),
}

fn main() {
    let _ = BankError::Db;
}
