use sqlx::PgConnection;
use steadfast::with_session;

#[with_session]
async fn transfer(connection: &mut PgConnection) -> Result<(), steadfast::Error> {
    let _ = connection;
    Ok(())
}

fn main() {}
