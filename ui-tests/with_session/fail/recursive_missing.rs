use steadfast::{PgSession, PgSessionPool, with_session};

#[with_session]
async fn remove(session: &mut PgSession, folder: i64) -> Result<(), steadfast::Error> {
    let inside: Vec<i64> = sqlx::query_scalar("SELECT id FROM folders WHERE parent = $1")
        .bind(folder)
        .fetch_all(&mut *session)
        .await?;
    for folder in inside {
        Box::pin(remove(&mut *session, folder)).await?;
    }
    Ok(())
}

fn spawn(pool: PgSessionPool) {
    tokio::spawn(async move { remove(&pool, 1).await });
}

fn main() {
    let _ = spawn;
}
