use steadfast::{PgSession, with_session};

struct Balance {
    cents: i64,
}

#[with_session]
async fn balance(session: &mut PgSession) -> Balance {
    let _ = session;
    Balance { cents: 1 }
}

fn main() {
    let _ = Balance { cents: 1 }.cents;
}
