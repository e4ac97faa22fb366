//! Functions that call each other: whoever is called with a session runs inside it, as a savepoint.
//!
//! ```text
//! cargo run --example nested
//! ```
//!
//! What a nested call did is undone when it fails, alone; the caller may go on. What the outermost call leaves is
//! committed once, or not at all.

use sqlx::Sqlite;
use steadfast::{SessionError, SessionPool, SqliteSession, SqliteSessionPool, retry, with_session};

#[derive(Debug, thiserror::Error, SessionError)]
enum ShopError {
    #[error("{0} is sold out")]
    SoldOut(&'static str),
    #[error("the card was refused")]
    CardRefused,
    #[session]
    #[error(transparent)]
    Db(steadfast::Error),
}

/// Takes one piece from the shelf and puts it on the order. Alone it is a session; here it is a part of one.
#[with_session]
async fn pick(
    session: &mut SqliteSession,
    order: i64,
    article: &'static str,
) -> Result<(), ShopError> {
    sqlx::query("INSERT INTO lines (ordered, article) VALUES ($1, $2)")
        .bind(order)
        .bind(article)
        .execute(&mut *session)
        .await?;
    let left: i64 = sqlx::query_scalar(
        "UPDATE shelf SET pieces = pieces - 1 WHERE article = $1 RETURNING pieces",
    )
    .bind(article)
    .fetch_one(&mut *session)
    .await?;
    if left < 0 {
        Err(ShopError::SoldOut(article))
    } else {
        Ok(())
    }
}

/// A retry starts the outermost call over; those inside it do not retry by themselves.
#[with_session]
#[retry(exponential)]
async fn order(session: &mut SqliteSession, id: i64, card_is_good: bool) -> Result<(), ShopError> {
    pick(&mut *session, id, "book").await?;

    // A failure that is swallowed: the line it wrote is gone, the book stays.
    if let Err(ShopError::SoldOut(article)) = pick(&mut *session, id, "pen").await {
        println!("  order {id} goes without its {article}");
    }

    // The same without a function of its own.
    let gift = session
        .savepoint(async |session| {
            sqlx::query("INSERT INTO lines (ordered, article) VALUES ($1, 'gift')")
                .bind(id)
                .execute(&mut *session)
                .await?;
            if id > 1 {
                Err(ShopError::SoldOut("gift"))
            } else {
                Ok(())
            }
        })
        .await;
    println!(
        "  order {id} has {} gift",
        if gift.is_ok() { "a" } else { "no" }
    );

    if card_is_good {
        Ok(())
    } else {
        Err(ShopError::CardRefused)
    }
}

async fn lines(pool: &SqliteSessionPool, order: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT article FROM lines WHERE ordered = $1 ORDER BY article")
        .bind(order)
        .fetch_all(pool)
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE shelf (article TEXT PRIMARY KEY, pieces INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql("CREATE TABLE lines (ordered INTEGER NOT NULL, article TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql("INSERT INTO shelf VALUES ('book', 10), ('pen', 0)")
        .execute(&pool)
        .await?;

    println!("order 1");
    order(&pool, 1, true).await?;
    println!("  committed: {:?}\n", lines(&pool, 1).await?);
    assert_eq!(lines(&pool, 1).await?, ["book", "gift"]);

    println!("order 2");
    let refused = order(&pool, 2, false)
        .await
        .expect_err("its card is refused");
    println!("  {refused}: {:?}\n", lines(&pool, 2).await?);
    assert!(
        lines(&pool, 2).await?.is_empty(),
        "an `Err` of the outermost call undoes all of it"
    );

    let shelf: Vec<(String, i64)> = sqlx::query_as("SELECT article, pieces FROM shelf")
        .fetch_all(&pool)
        .await?;
    println!("shelf: {shelf:?}");
    assert_eq!(shelf, [("book".to_owned(), 9), ("pen".to_owned(), 0)]);
    Ok(())
}
