//! With a rollback journal a reader can meet a writer; in WAL it never does.

use crate::support::{sqlite::*, *};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use std::time::Duration;
use steadfast::{Category, Error, retry, with_session};
use tokio::sync::Mutex;

#[with_session(read_only)]
#[retry(fixed, base = "1ms", max = 3)]
async fn read(
    session: &mut Session,
    holder: &Mutex<SqliteConnection>,
) -> Result<(u32, i64), Error> {
    let cents = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
        .fetch_one(&mut *session)
        .await;
    if session.attempt() == 2 {
        sqlx::raw_sql("COMMIT")
            .execute(&mut *holder.lock().await)
            .await?;
    }
    Ok((session.attempt(), cents?))
}

#[tokio::test]
async fn at_a_statement_is_retried() {
    let place = Place::new().await;
    place.plain.close().await;
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options
        .journal_mode(SqliteJournalMode::Delete)
        .busy_timeout(Duration::from_secs(5));
    let mut holder = SqliteConnection::connect_with(&options).await.unwrap();
    let pool = Pool::builder()
        .primary_with(options)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE; UPDATE accounts SET cents = 7 WHERE id = 1")
        .execute(&mut holder)
        .await
        .unwrap();
    let (attempt, cents) = read(&pool, &Mutex::new(holder)).await.unwrap();
    assert_eq!((attempt, cents), (3, 7));
    assert_eq!(
        stats("sqlite_busy::read").retried_after(Category::Conflict),
        2
    );
}
