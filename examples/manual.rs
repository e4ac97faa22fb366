//! The scoped form beside the manual one, over the same pool: `session`, which ends by itself, and `acquire` with
//! `release`.
//!
//! ```text
//! cargo run --example manual
//! ```
//!
//! Where there is a choice, the scoped form: it commits, rolls back and retries for you. A lease is for what wants the
//! bare connection, and then it is yours to end its transactions; what you leave on it, the next user does not find.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, Sqlite, SqliteConnection};
use steadfast::{Error, RetryPolicy, SessionPool, SqliteSessionPool, operations};

/// Code that is written for sqlx alone.
async fn refill(connection: &mut SqliteConnection, pieces: i64) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query("UPDATE stock SET pieces = pieces + $1")
        .bind(pieces)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn stock(pool: &SqliteSessionPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT pieces FROM stock")
        .fetch_one(pool)
        .await
}

/// One closure, one session: all of it or nothing.
async fn scoped(pool: &SqliteSessionPool, pieces: i64) -> Result<i64, Error> {
    pool.session("stock::take", async |session| {
        sqlx::query("UPDATE stock SET pieces = pieces - $1")
            .bind(pieces)
            .execute(&mut *session)
            .await?;
        let left = sqlx::query_scalar("SELECT pieces FROM stock")
            .fetch_one(&mut *session)
            .await?;
        Ok(left)
    })
    .await
}

/// The same with options, and a clone of the closure for each attempt.
async fn scoped_with_options(pool: &SqliteSessionPool, pieces: i64) -> Result<(), Error> {
    pool.operation("stock::take_again")
        .timeout(Duration::from_secs(2))
        .retry(RetryPolicy::exponential().max(3))
        .run(async |session| {
            sqlx::query("UPDATE stock SET pieces = pieces - $1")
                .bind(pieces)
                .execute(&mut *session)
                .await?;
            Ok(())
        })
        .await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE stock (pieces INTEGER NOT NULL CHECK (pieces >= 0)); INSERT INTO stock VALUES (100)")
        .execute(&pool)
        .await?;

    println!("scoped: {} pieces are left", scoped(&pool, 10).await?);
    scoped_with_options(&pool, 10).await?;
    if let Err(error) = scoped(&pool, 1_000).await {
        println!("scoped, refused: {error}");
    }
    assert_eq!(stock(&pool).await?, 80);

    // By hand: a connection like any other, and a transaction that is really one.
    let mut lease = pool.acquire().await?;
    println!("by hand: {lease:?}");
    refill(&mut lease, 20).await?;
    pool.release(lease).await?;
    assert_eq!(stock(&pool).await?, 100);

    // Released with a transaction open: undone, and said so.
    let mut lease = pool.acquire().await?;
    lease.execute("BEGIN; UPDATE stock SET pieces = 0").await?;
    if let Err(error) = pool.release(lease).await {
        println!("by hand, not committed: {error}");
    }
    assert_eq!(stock(&pool).await?, 100);

    // Dropped, with a transaction open and a setting changed: the next user finds neither.
    let mut lease = pool.acquire().await?;
    lease.execute("PRAGMA query_only = on; BEGIN").await?;
    drop(lease);
    scoped(&pool, 1).await?;
    println!("after a dropped lease: {} pieces", stock(&pool).await?);
    assert_eq!(stock(&pool).await?, 99);

    for operation in operations().filter(|operation| operation.name().starts_with("stock::")) {
        let counted = operation.stats();
        println!(
            "{}: {} committed, {} rolled back",
            operation.name(),
            counted.committed,
            counted.rolled_back
        );
    }
    assert!(pool.close().await.is_clean());
    Ok(())
}
