use sqlx::PgConnection;
use steadfast::with_session;

#[with_session]
async fn connection<'a>(
    connection: &mut PgConnection,
    _name: &'a str,
) -> Result<&'a mut PgConnection, sqlx::Error> {
    Ok(connection)
}

fn main() {}
