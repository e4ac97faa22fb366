use sqlx::PgConnection;
use steadfast::{Error, PgSessionPool};

async fn connection(pool: &PgSessionPool) -> Result<&mut PgConnection, Error> {
    let mut session = pool.begin().await?;
    session.raw().await
}

fn main() {}
