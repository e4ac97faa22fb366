use steadfast::SessionError;

#[derive(Debug, SessionError)]
enum BankError {
    #[session]
    Main(steadfast::Error),
    #[session]
    Replica(steadfast::Error),
}

fn main() {
    let _ = (BankError::Main, BankError::Replica);
}
