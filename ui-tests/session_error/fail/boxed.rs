use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    #[session]
    Db(Box<steadfast::Error>),
}

fn main() {
    let _ = BankError::Db;
}
