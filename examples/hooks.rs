//! Work for the time after a session: a mail that goes out once the order stands, and not before.
//!
//! ```text
//! cargo run --example hooks
//! ```
//!
//! A mail sent from the middle of a body is gone when the session rolls back, and is sent twice when it is retried. A
//! hook belongs to one attempt and runs once its outcome is certain, also when the caller has gone away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::Sqlite;
use steadfast::{SessionError, SessionPool, SqliteSession, SqliteSessionPool, retry, with_session};

/// What went out.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Vec<String>>>);

impl Outbox {
    async fn send(&self, text: String) -> Result<(), &'static str> {
        tokio::task::yield_now().await;
        if text.contains("nowhere") {
            return Err("there is no such address");
        }
        self.0.lock().expect("nobody panics here").push(text);
        Ok(())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics here"))
    }
}

#[derive(Debug, thiserror::Error, SessionError)]
enum ShopError {
    #[error("sold out")]
    SoldOut,
    #[session]
    #[error(transparent)]
    Db(steadfast::Error),
}

#[with_session]
async fn gift_wrap(session: &mut SqliteSession, outbox: &Outbox) -> Result<(), ShopError> {
    let outbox = outbox.clone();
    session.on_commit(async move { outbox.send("tell the gift desk".to_owned()).await });
    sqlx::query("UPDATE stock SET pieces = pieces - 1 WHERE article = 'paper'")
        .execute(&mut *session)
        .await?;
    Err(ShopError::SoldOut)
}

#[with_session]
#[retry(immediate, max = 3, on(capacity))]
async fn order(
    session: &mut SqliteSession,
    customer: &str,
    outbox: &Outbox,
) -> Result<(), ShopError> {
    let attempt = session.attempt();
    let (sender, mail) = (
        outbox.clone(),
        format!("attempt {attempt}: thanks, {customer}"),
    );
    // Nobody gets this mail for an order that does not stand. That it could not be sent undoes nothing: it is logged
    // and counted.
    session.on_commit(async move { sender.send(mail).await });
    let (sender, note) = (
        outbox.clone(),
        format!("attempt {attempt} of {customer} came to nothing"),
    );
    session.on_rollback(async move { sender.send(note).await });
    session.on_end(|outcome| println!("  one attempt is {outcome}"));

    let left: i64 = sqlx::query_scalar(
        "UPDATE stock SET pieces = pieces - 1 WHERE article = 'book' RETURNING pieces",
    )
    .fetch_one(&mut *session)
    .await?;
    if left < 0 {
        return Err(ShopError::SoldOut);
    }
    // It fails, alone, and its hook goes with it.
    let _ = gift_wrap(&mut *session, outbox).await;
    match customer {
        "an unlucky one" if attempt == 1 => Err(sqlx::Error::PoolTimedOut.into()),
        "one who hangs up" => std::future::pending().await,
        _ => Ok(()),
    }
}

async fn shop() -> anyhow::Result<SqliteSessionPool> {
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE stock (article TEXT PRIMARY KEY, pieces INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql("INSERT INTO stock VALUES ('book', 4), ('paper', 9)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (pool, outbox) = (shop().await?, Outbox::default());

    println!("an order");
    order(&pool, "a lucky one", &outbox).await?;
    assert_eq!(outbox.take(), ["attempt 1: thanks, a lucky one"]);

    println!("an order whose first attempt fails");
    order(&pool, "an unlucky one", &outbox).await?;
    let sent = outbox.take();
    println!("  {sent:?}");
    assert_eq!(
        sent,
        [
            "attempt 1 of an unlucky one came to nothing",
            "attempt 2: thanks, an unlucky one"
        ]
    );

    println!("an order whose mail cannot be delivered");
    order(&pool, "somebody who lives nowhere", &outbox).await?;
    assert!(outbox.take().is_empty());

    println!("an order whose customer hangs up");
    let call = order(&pool, "one who hangs up", &outbox);
    let _ = tokio::time::timeout(Duration::from_millis(100), call).await;

    // Waits for the sessions whose owner is gone, and for their hooks.
    let left: i64 = sqlx::query_scalar("SELECT pieces FROM stock WHERE article = 'book'")
        .fetch_one(&pool)
        .await?;
    assert!(pool.close().await.is_clean());
    let sent = outbox.take();
    println!("  {sent:?}");
    assert_eq!(sent, ["attempt 1 of one who hangs up came to nothing"]);
    println!("{left} book is left");
    assert_eq!(left, 1);

    let failed: u64 = steadfast::operations()
        .map(|operation| operation.stats().hooks_failed)
        .sum();
    println!("{failed} hook failed: the mail to nowhere");
    assert_eq!(failed, 1);
    Ok(())
}
