// Trap 23: a stream or a session outlives its transaction.
use sqlx::PgConnection;
use steadfast::with_session;

struct Repository<'a> {
    connection: Option<&'a mut PgConnection>,
}

#[with_session]
async fn open<'a>(
    connection: &mut PgConnection,
    repository: &mut Repository<'a>,
) -> Result<(), sqlx::Error> {
    repository.connection = Some(connection);
    Ok(())
}

fn main() {}
