use steadfast::{PgSession, with_session};

#[with_session]
async fn transfer<'a>(
    session: &mut PgSession,
    kept: std::sync::Arc<std::sync::Mutex<Option<&'a mut PgSession>>>,
) -> Result<(), steadfast::Error> {
    *kept.lock().expect("not poisoned") = Some(session);
    Ok(())
}

fn main() {}
