use steadfast::SessionError;

#[derive(Debug, SessionError)]
struct BankError {
    db: steadfast::Error,
}

fn main() {
    let _ = |error: BankError| error.db;
}
