//! SQLite has no network, but its COMMIT may be refused and sent again: the token is written once.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Executor as _};
use steadfast::{Error, retry, with_session};

use crate::support::sqlite::{Place, Pool, Session};
use crate::support::{eventually, quiet};

#[with_session]
#[retry(immediate, max = 3, verify_commit)]
async fn verified(session: &mut Session, id: i64) -> Result<u32, Error> {
    sqlx::query("INSERT INTO notes (id, body) VALUES ($1, $1)")
        .bind(id)
        .execute(&mut *session)
        .await?;
    Ok(session.attempt())
}

/// With a rollback journal a reader keeps a writer from committing; the transaction, and the token in it, stay.
#[tokio::test]
async fn on_sqlite_a_commit_that_is_sent_again_notes_its_token_once() {
    let place = Place::new().await;
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options.journal_mode(SqliteJournalMode::Delete);
    place.plain.close().await;
    let pool = Pool::builder()
        .primary_with(options.clone())
        .max_connections(1)
        .connect()
        .await
        .unwrap();
    pool.install().await.unwrap();
    let mut reader = options.connect().await.unwrap();
    reader
        .execute("BEGIN; SELECT count(*) FROM notes")
        .await
        .unwrap();
    let committing = tokio::spawn({
        let pool = pool.clone();
        async move { verified(&pool, 1).await }
    });
    eventually("the session is committing", || async {
        pool.sessions()
            .iter()
            .any(|session| session.stage == steadfast::SessionStage::Ending)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!committing.is_finished());
    reader.execute("COMMIT").await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), 1);
    quiet(&pool).await;
    let tokens: Vec<i64> = sqlx::query_scalar("SELECT committed FROM steadfast_ledger")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(tokens, [1]);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}
