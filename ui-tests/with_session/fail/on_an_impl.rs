use steadfast::{PgSession, with_session};

struct Bank;

#[with_session]
impl Bank {
    async fn transfer(&self, session: &mut PgSession) -> Result<(), steadfast::Error> {
        let _ = session;
        Ok(())
    }
}

fn main() {
    let _ = Bank::transfer;
}
