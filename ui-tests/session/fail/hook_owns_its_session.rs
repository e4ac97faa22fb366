// Trap 16: an after-commit hook uses the finished transaction.
use steadfast::PgSessionPool;

async fn order(pool: &PgSessionPool) -> Result<(), steadfast::Error> {
    let mut session = pool.begin().await?;
    session.on_commit(async move {
        sqlx::query("UPDATE orders SET told = true").execute(&mut session).await.map(drop)
    });
    session.commit().await
}

fn main() {}
