// Trap 16: an after-commit hook uses the finished transaction.
use steadfast::{Outcome, PgSession, with_session};

#[with_session]
async fn order(session: &mut PgSession) -> Result<(), steadfast::Error> {
    session.on_end(|session: &mut PgSession, outcome: Outcome| println!("{session:?} {outcome}"));
    Ok(())
}

fn main() {}
