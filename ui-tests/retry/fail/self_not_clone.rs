use steadfast::{PgSession, retry, with_session};

struct Ticket(u64);

impl Ticket {
    #[with_session]
    #[retry]
    async fn redeem(self, session: &mut PgSession) -> Result<u64, steadfast::Error> {
        let _ = session;
        Ok(self.0)
    }
}

fn main() {
    let _ = Ticket(1).0;
}
