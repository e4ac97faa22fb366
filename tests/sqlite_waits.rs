//! SQLite has one writer at a time, and waiting for it is done here: in the right order, and no longer than
//! was allowed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Connection as _, Executor as _};
use steadfast::{Category, Error, Outcome, Phase, with_session};

use crate::support::{sqlite::*, *};

#[with_session]
async fn write(session: &mut Session, id: i64) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES ($1, 'note ' || $1)")
        .bind(id)
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[with_session(timeout = "200ms")]
async fn write_soon(session: &mut Session) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES (1, 'soon')")
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

/// A connection outside of any pool of ours that holds the write lock. What steadfast sees of another process
/// is the same: locks are the file's.
async fn holder(place: &Place) -> SqliteConnection {
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let mut holder = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_secs(10)))
        .await
        .unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(place.open_transactions().await, 1);
    holder
}

/// Waits until so many have a connection: nothing is left for them to do but to ask for the lock.
async fn sends_begin(pool: &Pool, sessions: usize) {
    eventually("they have a connection", || async {
        pool.stats().in_use == sessions
    })
    .await;
}

#[tokio::test]
async fn a_write_session_waits_for_a_foreign_lock() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let mut holder = holder(&place).await;
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { write(&pool, 1).await }
    });
    sends_begin(&pool, 1).await;
    place.refuses_writers().await;
    assert!(!waiting.is_finished());
    holder.execute("COMMIT").await.unwrap();
    in_time(waiting).await.unwrap().unwrap();
    assert_eq!(place.count("notes").await, 1);
}

#[tokio::test]
async fn it_gives_up_at_its_deadline() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let mut holder = holder(&place).await;
    let began = Instant::now();
    let error = write_soon(&pool).await.unwrap_err();
    // Had it been the lock timeout, this would be another error.
    assert!(
        began.elapsed() >= Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(error.category(), Category::Timeout, "{error:?}");
    assert!(
        matches!(error.outcome(), Outcome::NotSent | Outcome::RolledBack),
        "{error:?}"
    );
    quiet(&pool).await;
    holder.execute("COMMIT").await.unwrap();
    write(&pool, 1).await.unwrap();
}

#[tokio::test]
async fn and_at_the_lock_timeout() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let _holder = holder(&place).await;
    let clock = Clock::stop();
    let began = tokio::time::Instant::now();
    let time_passes = async {
        let has_connection = || async { pool.stats().in_use == 1 };
        clock
            .eventually("it has a connection", has_connection)
            .await;
        place.refuses_writers().await;
        clock.skip(Duration::from_millis(4700));
        // Not faster: the last BEGIN is to be answered, too.
        clock.crawl().await
    };
    let result = tokio::select! {
        result = write(&pool, 1) => result,
        never = time_passes => never,
    };
    let (error, took) = (result.unwrap_err(), began.elapsed());
    assert!(
        took >= Duration::from_secs(5) && took < about(5100).end,
        "{took:?}"
    );
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(
        (error.phase(), error.category()),
        (Phase::Begin, Category::Conflict),
        "{error:?}"
    );
    assert!(
        matches!(error.outcome(), Outcome::NotSent | Outcome::RolledBack),
        "{error:?}"
    );
    assert!(pool.sessions().is_empty());
}

#[tokio::test]
async fn dropped_while_it_waits_it_leaves_nothing() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let mut holder = holder(&place).await;
    let refused = async {
        sends_begin(&pool, 1).await;
        place.refuses_writers().await;
    };
    drop_when(refused, write(&pool, 1)).await;
    // The only slot serves a reader although the lock is still held. The clock stands: no wait has to end for that.
    let clock = Clock::stop();
    assert_eq!(read(&pool).await.unwrap(), 0);
    drop(clock);
    holder.execute("ROLLBACK").await.unwrap();
    write(&pool, 2).await.unwrap();
    assert_eq!(place.count("notes").await, 1);
}

#[tokio::test]
async fn readers_wait_for_nobody() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let mut holder = holder(&place).await;
    holder
        .execute("INSERT INTO notes VALUES (1, 'not yet')")
        .await
        .unwrap();
    let mut writer = pool.begin().await.unwrap();
    let refused = async {
        sends_begin(&pool, 1).await;
        place.refuses_writers().await;
    };
    // A write session waits with its first statement.
    drop_when(refused, sqlx::query("SELECT 1").execute(&mut writer)).await;
    // While the clock stands no wait ends.
    let clock = Clock::stop();
    for _ in 0..10 {
        assert_eq!(read(&pool).await.unwrap(), 0);
    }
    drop(clock);
}

#[tokio::test]
async fn a_connection_that_only_read_writes_again() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for id in 0..3 {
        read(&pool).await.unwrap();
        write(&pool, id).await.unwrap();
        read(&pool).await.unwrap();
        sqlx::query("UPDATE notes SET body = body || '!'")
            .execute(&pool)
            .await
            .unwrap();
    }
    assert_eq!(pool.stats().opened, 1, "all on one connection");
    assert_eq!(place.count("notes").await, 3);
}

#[tokio::test]
async fn a_statement_on_the_pool_is_run_again_when_it_is_refused() {
    let place = Place::new().await;
    let pool = place.pool(2).await;
    let mut holder = holder(&place).await;
    let waiting: Vec<_> = (0..2)
        .map(|way| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let insert = sqlx::query("INSERT INTO notes VALUES ($1, $2)")
                    .bind(way)
                    .bind(format!("way {way}"));
                match way {
                    0 => insert.execute(&pool).await.map(|_| ()),
                    _ => insert.fetch_optional(&pool).await.map(|_| ()),
                }
            })
        })
        .collect();
    // The other one waits for its turn first.
    sends_begin(&pool, 1).await;
    place.refuses_writers().await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    holder.execute("COMMIT").await.unwrap();
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(place.count("notes").await, 2);
}

/// With a rollback journal a reader keeps a writer from committing; the transaction stays open meanwhile.
#[tokio::test]
async fn busy_at_commit_is_waited_out() {
    let place = Place::new().await;
    place.plain.close().await;
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options.journal_mode(SqliteJournalMode::Delete);
    let mut reader = SqliteConnection::connect_with(&options).await.unwrap();
    let pool = Pool::builder()
        .primary_with(options.clone())
        .connect()
        .await
        .unwrap();
    reader.execute("BEGIN").await.unwrap();
    reader.fetch_all("SELECT * FROM accounts").await.unwrap();

    let mut plain = SqliteConnection::connect_with(&options.busy_timeout(Duration::ZERO))
        .await
        .unwrap();
    plain
        .execute("BEGIN IMMEDIATE; INSERT INTO notes VALUES (7, 'plain')")
        .await
        .unwrap();
    let refused = plain.execute("COMMIT").await.unwrap_err();
    assert!(
        refused.to_string().contains("locked"),
        "COMMIT itself meets the reader: {refused}"
    );
    plain.execute("ROLLBACK").await.unwrap();

    let committing = tokio::spawn({
        let pool = pool.clone();
        async move { write(&pool, 1).await }
    });
    refuses_readers(&mut plain).await;
    let sessions = pool.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0].stage, steadfast::SessionStage::Ending);
    assert!(!committing.is_finished());
    reader.execute("COMMIT").await.unwrap();
    committing.await.unwrap().unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    assert_eq!(count, 1);
}

const TASKS: usize = 64;

#[with_session]
async fn read_then_write(session: &mut Session) -> Result<(), Error> {
    let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
        .fetch_one(&mut *session)
        .await?;
    tokio::task::yield_now().await;
    sqlx::query("UPDATE accounts SET cents = $1 WHERE id = 1")
        .bind(cents + 1)
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_write_never_fail_where_deferred_ones_do() {
    let place = Place::new().await;
    let pool = place.pool(8).await;
    let tasks = (0..TASKS).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { read_then_write(&pool).await })
    });
    for result in join_all(tasks).await {
        result.unwrap().unwrap();
    }
    assert_eq!(
        place.cents(1).await,
        1000 + TASKS as i64,
        "none was lost, none was twice"
    );

    // The control: the same through plain sqlx, with a busy timeout that would be long enough.
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(10));
    let plain = SqlitePoolOptions::new()
        .max_connections(8)
        .connect_with(options)
        .await
        .unwrap();
    let together = Arc::new(tokio::sync::Barrier::new(8));
    let tasks = (0..8).map(|_| {
        let (plain, together) = (plain.clone(), together.clone());
        tokio::spawn(async move {
            let mut transaction = plain.begin().await?;
            let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
                .fetch_one(&mut *transaction)
                .await?;
            together.wait().await;
            sqlx::query("UPDATE accounts SET cents = $1 WHERE id = 1")
                .bind(cents + 1)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        })
    });
    let results: Vec<sqlx::Result<()>> = join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert!(
        failed > 0,
        "DEFERRED transactions that read first are refused: {results:?}"
    );
}
