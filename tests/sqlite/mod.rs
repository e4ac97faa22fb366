//! What SQLite alone asks for: one writer, a journal of two kinds, a statement that is committed by its last step,
//! settings that belong to a connection, and a file where others have a server.

mod acknowledged;
mod commits;
mod files;
mod gate;
mod readers;
mod settings;
mod shapes;
mod texts;
mod worker;

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{Connection as _, Executor as _};
use steadfast::{Error, with_session};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{sqlite::*, *};

/// Longer than the connections' own busy timeout by far: what still waits then was refused by SQLite at least once.
const SEVERAL_REFUSALS: Duration = Duration::from_millis(150);

/// The file as it is without a WAL: readers and writers are in each other's way there.
async fn with_rollback_journal(place: &Place) -> SqliteConnectOptions {
    place.plain.close().await;
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options.journal_mode(SqliteJournalMode::Delete);
    plain(&options).await.close().await.unwrap();
    options
}

/// A connection of somebody else, who does not wait for locks.
async fn plain(options: &SqliteConnectOptions) -> SqliteConnection {
    let options = options.clone().busy_timeout(Duration::ZERO);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Somebody else who has begun a transaction and done something in it.
async fn foreign(options: &SqliteConnectOptions, sql: &'static str) -> SqliteConnection {
    let mut foreign = plain(options).await;
    foreign.execute(sql).await.unwrap();
    foreign
}

async fn ids(connection: &mut SqliteConnection) -> Vec<i64> {
    sqlx::query_scalar("SELECT id FROM notes ORDER BY rowid")
        .fetch_all(connection)
        .await
        .unwrap()
}

/// Waits until the task has been refused, and asserts that it did not take that for an answer.
async fn refused_and_waiting<T>(task: &JoinHandle<T>) {
    tokio::time::sleep(SEVERAL_REFUSALS).await;
    assert!(!task.is_finished(), "it waits for the lock");
}

/// A task that holds the one write session of a database until it is told to end.
struct Writing {
    end: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

#[with_session]
async fn write_until(
    session: &mut Session,
    began: oneshot::Sender<()>,
    end: oneshot::Receiver<()>,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES (100, 'held')")
        .execute(&mut *session)
        .await?;
    began.send(()).unwrap();
    end.await.unwrap();
    Ok(())
}

impl Writing {
    async fn begin(pool: &Pool) -> Self {
        let (began, has_begun) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let pool = pool.clone();
        let task = tokio::spawn(async move { write_until(&pool, began, ends).await });
        has_begun.await.unwrap();
        Self { end, task }
    }

    async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

#[with_session]
async fn write(session: &mut Session, id: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES ($1, 'note ' || $1)")
        .bind(id)
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[with_session(read_only)]
async fn read(session: &mut Session) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(&mut *session)
        .await?)
}

/// The same as one statement on the pool.
async fn read_alone(pool: &Pool) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(pool)
        .await?)
}

async fn in_memory() -> Pool {
    let pool = Pool::in_memory().await.unwrap();
    sqlx::query("CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL UNIQUE)")
        .execute(&pool)
        .await
        .unwrap();
    pool
}
