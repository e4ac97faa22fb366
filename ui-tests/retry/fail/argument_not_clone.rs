// Trap 13: state captured by a failed attempt leaks into the next.
use steadfast::{PgSession, retry, with_session};

struct Ticket(u64);

#[with_session]
#[retry]
async fn redeem(session: &mut PgSession, ticket: Ticket) -> Result<u64, steadfast::Error> {
    let _ = session;
    Ok(ticket.0)
}

fn main() {}
