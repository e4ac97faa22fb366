use steadfast::{Error, PgSession, with_session};

#[with_session]
async fn archive(session: &mut PgSession) -> Result<(), Error> {
    session
        .savepoint(async |_| {
            sqlx::query("DELETE FROM orders").execute(&mut *session).await?;
            Ok::<_, Error>(())
        })
        .await
}

fn main() {}
