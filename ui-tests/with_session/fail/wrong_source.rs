use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer(session: &mut PgSession) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

async fn caller() -> Result<(), steadfast::Error> {
    transfer("postgres://127.0.0.1/bank").await
}

fn main() {
    let _ = caller;
}
