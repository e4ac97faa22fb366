//! A session without an attribute: `begin`, and then `commit` or `rollback`.
//!
//! ```text
//! cargo run --example by_hand
//! ```
//!
//! The shield is the same as an annotated function's; only retries are missing, since nobody but a function can be
//! started over.

use sqlx::{Executor, Sqlite};
use steadfast::{SessionPool, SqliteSession, SqliteSessionPool, with_session};

/// Helpers written for sqlx go on working.
async fn stock<'e>(executor: impl Executor<'e, Database = Sqlite>) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT pieces FROM stock")
        .fetch_one(executor)
        .await
}

/// So do annotated functions: inside a session begun by hand they are savepoints.
#[with_session]
async fn take(session: &mut SqliteSession, pieces: i64) -> anyhow::Result<()> {
    sqlx::query("UPDATE stock SET pieces = pieces - $1")
        .bind(pieces)
        .execute(&mut *session)
        .await?;
    let left = stock(&mut *session).await?;
    anyhow::ensure!(left >= 0, "{pieces} pieces are more than there are");
    Ok(())
}

async fn warehouse() -> anyhow::Result<SqliteSessionPool> {
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE stock (pieces INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql("INSERT INTO stock VALUES (100)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool = warehouse().await?;

    let mut session = pool.begin().await?;
    take(&mut session, 10).await?;
    if let Err(error) = take(&mut session, 1_000).await {
        println!("{error}; the session goes on");
    }
    session.commit().await?;
    println!("committed: {} pieces", stock(&pool).await?);
    assert_eq!(stock(&pool).await?, 90);

    let mut session = pool.begin().await?;
    take(&mut session, 10).await?;
    session.rollback().await?;
    println!("rolled back: {} pieces", stock(&pool).await?);
    assert_eq!(stock(&pool).await?, 90);

    // Neither: dropped, as when a client goes away. It is rolled back, and the next writer waits for that.
    let mut session = pool.begin().await?;
    take(&mut session, 10).await?;
    drop(session);
    take(&pool, 5).await?;
    println!("one dropped, one taken: {} pieces", stock(&pool).await?);
    assert_eq!(stock(&pool).await?, 85);

    let report = pool.close().await;
    println!(
        "closed{}",
        if report.is_clean() {
            ", nothing left"
        } else {
            ", with something left"
        }
    );
    assert!(report.is_clean());
    Ok(())
}
