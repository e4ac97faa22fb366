//! Where a database has no WAL (in memory, or with a rollback journal) a writer keeps readers out. They wait, as
//! writers do, and not only for as long as SQLite itself waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn in_memory_they_wait_for_a_writer() {
    let pool = in_memory().await;
    // Connections that are open already: to open one is refused as well.
    tokio::try_join!(read(&pool), read(&pool), read(&pool)).unwrap();
    let writing = Writing::begin(&pool).await;
    let session = tokio::spawn({
        let pool = pool.clone();
        async move { read(&pool).await }
    });
    let alone = tokio::spawn({
        let pool = pool.clone();
        async move { read_alone(&pool).await }
    });
    refused_and_waiting(&session).await;
    refused_and_waiting(&alone).await;
    eventually("they wait without a connection", || async {
        pool.stats().in_use == 1
    })
    .await;
    writing.end().await;
    assert_eq!(session.await.unwrap().unwrap(), 1);
    assert_eq!(alone.await.unwrap().unwrap(), 1);
    assert_quiet(&pool);
}

#[tokio::test]
async fn with_a_rollback_journal_they_wait_for_a_foreign_one() {
    let place = Place::new().await;
    let options = with_rollback_journal(&place).await;
    let pool = Pool::builder()
        .primary_with(options.clone())
        .connect()
        .await
        .unwrap();
    for way in ["session", "alone"] {
        let mut other = plain(&options).await;
        let mut writer = foreign(&options, "BEGIN EXCLUSIVE").await;
        let refused = other.execute("SELECT * FROM notes").await;
        assert!(refused.is_err(), "whoever does not wait is refused");
        let reading = tokio::spawn({
            let pool = pool.clone();
            async move {
                match way {
                    "session" => read(&pool).await,
                    _ => read_alone(&pool).await,
                }
            }
        });
        refused_and_waiting(&reading).await;
        writer.execute("COMMIT").await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), 0, "{way}");
        assert_quiet(&pool);
    }
}

/// More than the small cache of these tests holds: without a WAL such a write keeps readers out before its commit.
#[with_session]
async fn write_slowly(session: &mut Session, id: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES ($1, $1 || hex(zeroblob(50000)))")
        .bind(id)
        .execute(&mut *session)
        .await?;
    tokio::time::sleep(Duration::from_millis(40)).await;
    Ok(())
}

/// The same for three times the limit that tells a reader who has waited, and it says when it keeps them out.
#[with_session]
async fn write_long(session: &mut Session, wrote: oneshot::Sender<()>) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES (0, '0' || hex(zeroblob(50000)))")
        .execute(&mut *session)
        .await?;
    let _ = wrote.send(());
    tokio::time::sleep(3 * WAITED).await;
    Ok(())
}

/// Longer than a reader takes that is in nobody's way.
const WAITED: Duration = Duration::from_millis(50);

async fn crowd(pool: Pool) {
    let (wrote, written) = oneshot::channel();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { write_long(&pool, wrote).await }
    });
    written.await.unwrap();
    let tasks = (1..64).map(|task| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            let ended = match task % 2 {
                0 => write_slowly(&pool, task).await,
                _ => read(&pool).await.map(drop),
            };
            (ended, task % 2 == 1, began.elapsed())
        })
    });
    let ended: Vec<_> = join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let failed: Vec<_> = ended.iter().filter(|(ended, ..)| ended.is_err()).collect();
    assert!(failed.is_empty(), "{} of 64: {failed:?}", failed.len());
    first.await.unwrap().unwrap();
    let waited = ended
        .iter()
        .filter(|(_, reads, took)| *reads && *took > WAITED);
    assert!(waited.count() > 0, "some reader was in a writer's way");
    assert_eq!(read(&pool).await.unwrap(), 32);
    assert_quiet(&pool);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_readers_and_32_writers_none_fails_in_memory() {
    crowd(in_memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_readers_and_32_writers_none_fails_with_a_rollback_journal() {
    let place = Place::new().await;
    let options = with_rollback_journal(&place).await;
    let pool = Pool::builder()
        .primary_with(options)
        .after_connect(|connection| {
            Box::pin(async move {
                connection.execute("PRAGMA cache_size = 5").await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    crowd(pool).await;
}

/// Writers that queue leave no gap between one another: readers have to be let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_get_their_turn_beside_writers_that_never_stop() {
    const WRITERS: i64 = 8;
    let pool = in_memory().await;
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (pool, stop, written) = (pool.clone(), Arc::clone(&stop), Arc::clone(&written));
            tokio::spawn(async move {
                let mut id = writer;
                while !stop.load(SeqCst) {
                    write_slowly(&pool, id).await.unwrap();
                    written.fetch_add(1, SeqCst);
                    id += WRITERS;
                }
            })
        })
        .collect();
    eventually("they write", || async { written.load(SeqCst) > 2 }).await;
    let readers = (0..6).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            for _ in 0..4 {
                let began = Instant::now();
                read(&pool).await.unwrap();
                longest = longest.max(began.elapsed());
            }
            longest
        })
    });
    let longest = join_all(readers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .max();
    eventually("the writers go on as well", || async {
        written.load(SeqCst) > 20
    })
    .await;
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    // A round of all the others takes half a second.
    assert!(longest.unwrap() < Duration::from_secs(3), "{longest:?}");
}
