use steadfast::{with_session};

#[with_session]
async fn report(session: &sqlx::PgConnection) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
