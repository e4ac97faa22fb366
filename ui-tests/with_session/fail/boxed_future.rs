use std::future::Future;
use std::pin::Pin;

use steadfast::{PgSession, with_session};

#[with_session]
fn transfer<'a>(
    session: &'a mut PgSession,
) -> Pin<Box<dyn Future<Output = Result<(), steadfast::Error>> + Send + 'a>> {
    Box::pin(async move {
        let _ = session;
        Ok(())
    })
}

fn main() {}
