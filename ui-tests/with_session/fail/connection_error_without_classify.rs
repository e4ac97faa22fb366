use sqlx::PgConnection;
use steadfast::with_session;

#[derive(Debug)]
struct Refused;

#[with_session]
async fn transfer(connection: &mut PgConnection) -> Result<(), Refused> {
    let _ = connection;
    Err(Refused)
}

fn main() {}
