//! One queue for all that write: sessions and single statements on the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use futures_util::future::join_all;

use super::*;

#[with_session]
async fn write_for_60_ms(session: &mut Session, id: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES ($1, 'session ' || $1)")
        .bind(id)
        .execute(&mut *session)
        .await?;
    tokio::time::sleep(Duration::from_millis(60)).await;
    Ok(())
}

fn insert(id: i64) -> sqlx::query::Query<'static, Db, sqlx::sqlite::SqliteArguments> {
    sqlx::query("INSERT INTO notes VALUES ($1, 'alone ' || $1)").bind(id)
}

/// Nothing of the first word says that it writes.
fn insert_with(id: i64) -> sqlx::query::Query<'static, Db, sqlx::sqlite::SqliteArguments> {
    sqlx::query("WITH one AS (SELECT $1 AS id) INSERT INTO notes SELECT id, 'with ' || id FROM one")
        .bind(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn single_statements_are_not_starved_by_sessions() {
    let place = Place::new().await;
    let pool = place.pool(10).await;
    let (stop, sessions) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (pool, stop, sessions) = (pool.clone(), Arc::clone(&stop), Arc::clone(&sessions));
            tokio::spawn(async move {
                let mut id = writer;
                while !stop.load(SeqCst) {
                    write_for_60_ms(&pool, id).await.unwrap();
                    sessions.fetch_add(1, SeqCst);
                    id += 4;
                }
            })
        })
        .collect();
    eventually("sessions write", || async { sessions.load(SeqCst) > 4 }).await;
    let mut most = 0;
    for id in 0..12 {
        let before = sessions.load(SeqCst);
        match id % 2 {
            0 => insert(100_000 + id).execute(&pool).await.unwrap(),
            _ => insert_with(100_000 + id).execute(&pool).await.unwrap(),
        };
        most = most.max(sessions.load(SeqCst) - before);
    }
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    // The one that writes, three that queue ahead, and for what queues only once it was refused one or two more.
    assert!(
        most <= 10,
        "{most} sessions were let in ahead of one statement"
    );
    assert_eq!(
        place.count("notes").await,
        12 + sessions.load(SeqCst) as i64
    );
    assert_quiet(&pool);
}

#[tokio::test]
async fn they_write_in_the_order_in_which_they_came() {
    let place = Place::new().await;
    let pool = place.pool(4).await;
    let writing = Writing::begin(&pool).await;
    let tasks: Vec<_> = {
        let mut tasks = Vec::new();
        for id in 0..12_i64 {
            let one = pool.clone();
            tasks.push(tokio::spawn(async move {
                match id % 3 {
                    0 => write(&one, id).await,
                    1 => insert(id)
                        .execute(&one)
                        .await
                        .map(drop)
                        .map_err(Error::from),
                    _ => insert(id)
                        .fetch_optional(&one)
                        .await
                        .map(drop)
                        .map_err(Error::from),
                }
            }));
            eventually("it queues", || async {
                pool.sessions().len() == 2 + id as usize
            })
            .await;
        }
        tasks
    };
    writing.end().await;
    for task in join_all(tasks).await {
        task.unwrap().unwrap();
    }
    let order: Vec<i64> = sqlx::query_scalar("SELECT id FROM notes ORDER BY rowid")
        .fetch_all(&place.plain)
        .await
        .unwrap();
    assert_eq!(order, [100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

#[tokio::test]
async fn whoever_queues_holds_no_connection() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let writing = Writing::begin(&pool).await;
    let waiting: Vec<_> = (0..16)
        .map(|id| {
            let pool = pool.clone();
            tokio::spawn(async move {
                match id % 2 {
                    0 => insert(id).execute(&pool).await,
                    _ => insert_with(id).execute(&pool).await,
                }
            })
        })
        .collect();
    eventually("all of them queue", || async {
        pool.sessions().len() == 17 && pool.stats().in_use == 1
    })
    .await;
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(read(&pool).await.unwrap(), 0);
        assert_eq!(read_alone(&pool).await.unwrap(), 0);
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    writing.end().await;
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(place.count("notes").await, 17);
}

/// What is known to write does not even try while another session of the process does: a try takes a connection for as
/// long as SQLite waits by itself.
#[tokio::test]
async fn a_crowd_of_single_writes_keeps_no_reader_waiting() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    tokio::try_join!(read(&pool), read(&pool)).unwrap();
    let writing = Writing::begin(&pool).await;
    let mut most = 0;
    let waiting: Vec<_> = (0..64)
        .map(|id| {
            let pool = pool.clone();
            tokio::spawn(async move { insert(id).execute(&pool).await })
        })
        .collect();
    while pool.sessions().len() < 65 {
        most = most.max(pool.stats().in_use);
        tokio::task::yield_now().await;
    }
    assert!(most <= 1, "{most} connections were taken");
    assert_eq!(read(&pool).await.unwrap(), 0);
    writing.end().await;
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
}

/// The wait for the turn is bounded by the lock's limit; a connection and BEGIN have their time from then on.
#[tokio::test]
async fn a_turn_that_comes_late_is_no_lost_connection() {
    let place = Place::new().await;
    let builder = place.builder(4).acquire_timeout(Duration::from_millis(500));
    let pool = builder.connect().await.unwrap();
    let writing = Writing::begin(&pool).await;
    let clock = Clock::stop();
    let (one, other) = (pool.clone(), pool.clone());
    let session = tokio::spawn(async move { write(&one, 1).await });
    let alone = tokio::spawn(async move { insert(2).execute(&other).await });
    clock
        .eventually("both queue", || async { pool.sessions().len() == 3 })
        .await;
    clock.skip(Duration::from_secs(2));
    writing.end().await;
    session.await.unwrap().unwrap();
    alone.await.unwrap().unwrap();
    assert_eq!(place.count("notes").await, 3);
}
