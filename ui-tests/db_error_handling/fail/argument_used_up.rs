use steadfast::{PgSession, SessionError, db_error_handling, with_session};

#[derive(Debug, SessionError)]
enum Refused {
    Taken(String),
    #[session]
    Db(steadfast::Error),
}

#[with_session]
#[db_error_handling(unique => Refused::Taken(name))]
async fn sign_up(session: &mut PgSession, name: String) -> Result<(), Refused> {
    sqlx::query("INSERT INTO users VALUES ($1)").bind(name).execute(session).await?;
    Ok(())
}

fn main() {}
