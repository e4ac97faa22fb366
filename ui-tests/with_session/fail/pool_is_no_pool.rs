use steadfast::{PgSession, with_session};

struct Bank {
    url: String,
}

impl Bank {
    #[with_session(pool = self.url)]
    async fn transfer(&self, session: &mut PgSession) -> Result<(), steadfast::Error> {
        let _ = session;
        Ok(())
    }
}

fn main() {
    let _ = Bank::transfer;
}
