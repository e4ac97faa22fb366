use std::future::Future;

use steadfast::{PgSession, with_session};

#[with_session]
fn transfer(session: &mut PgSession) -> impl Future<Output = Result<(), steadfast::Error>> {
    let _ = session;
    async { Ok(()) }
}

fn main() {}
