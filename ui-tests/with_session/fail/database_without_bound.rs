use steadfast::{Session, with_session};

#[with_session]
async fn transfer<DB: sqlx::Database>(session: &mut Session<DB>) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
