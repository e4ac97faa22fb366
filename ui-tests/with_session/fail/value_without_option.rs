use steadfast::{PgSession, PgSessionPool, with_session};

struct Bank {
    pool: PgSessionPool,
}

impl Bank {
    #[with_session(self.pool)]
    async fn transfer(&self, session: &mut PgSession) -> Result<(), steadfast::Error> {
        let _ = session;
        Ok(())
    }
}

fn main() {
    let _ = |bank: Bank| bank.pool;
}
