// Trap 13: state captured by a failed attempt leaks into the next.
use steadfast::{PgSession, retry, with_session};

struct Bank {
    transfers: u64,
}

impl Bank {
    #[with_session]
    #[retry]
    async fn transfer(&mut self, session: &mut PgSession) -> Result<(), steadfast::Error> {
        let _ = session;
        self.transfers += 1;
        Ok(())
    }
}

fn main() {
    let _ = Bank { transfers: 0 }.transfers;
}
