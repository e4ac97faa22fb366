//! The smallest whole program: one annotated function, called with a pool.
//!
//! ```text
//! cargo run --example transfer
//! ```

use sqlx::Sqlite;
use steadfast::{SessionError, SessionPool, SqliteSession, db_error_handling, retry, with_session};

#[derive(Debug, thiserror::Error, SessionError)]
enum BankError {
    #[error("account {0} has too little money")]
    TooLittleMoney(i64),
    #[session]
    #[error(transparent)]
    Db(steadfast::Error),
}

#[with_session]
#[retry(exponential, max = 5)]
#[db_error_handling]
async fn transfer(
    session: &mut SqliteSession,
    from: i64,
    to: i64,
    cents: i64,
) -> Result<(), BankError> {
    sqlx::query("UPDATE accounts SET cents = cents + $1 WHERE id = $2")
        .bind(cents)
        .bind(to)
        .execute(&mut *session)
        .await?;
    let left: i64 =
        sqlx::query_scalar("UPDATE accounts SET cents = cents - $1 WHERE id = $2 RETURNING cents")
            .bind(cents)
            .bind(from)
            .fetch_one(&mut *session)
            .await?;
    if left < 0 {
        // The payee was paid above. An `Err` undoes that too.
        return Err(BankError::TooLittleMoney(from));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A service connects to its server: `SessionPool::<Postgres>::connect("postgres://…")`.
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE accounts (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql("INSERT INTO accounts VALUES (1, 1000), (2, 1000)")
        .execute(&pool)
        .await?;

    transfer(&pool, 1, 2, 500).await?;
    println!("500 cents moved");

    let refused = transfer(&pool, 1, 2, 501)
        .await
        .expect_err("account 1 has 500 cents left");
    println!("refused: {refused}");

    let accounts: Vec<(i64, i64)> = sqlx::query_as("SELECT id, cents FROM accounts ORDER BY id")
        .fetch_all(&pool)
        .await?;
    println!("accounts: {accounts:?}");
    assert_eq!(accounts, [(1, 500), (2, 1500)]);
    Ok(())
}
