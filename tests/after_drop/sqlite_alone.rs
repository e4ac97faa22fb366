//! What is SQLite's own: its statements run in this process, and a call can also be dropped while it waits for a lock
//! that another process holds. On the servers a lock is the server's, and waiting for one is a statement like any
//! other.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use steadfast::{Error, with_session};

use super::*;
use crate::support::sqlite::{Place, SLOW, Session};
use crate::support::{PROMISED, TRIES, eventually, is_kept};

const FILE: &str = "STEADFAST_TEST_LOCKS";

#[with_session]
async fn write(session: &mut Session) -> Result<(), Error> {
    sqlx::query("UPDATE accounts SET cents = cents - 1 WHERE id = 1")
        .execute(&mut *session)
        .await?;
    Ok(())
}

/// Another process, which holds the write lock until it is told to end.
struct Holder {
    child: Child,
    /// What it says; closed, it would fail to say more.
    said: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    async fn start(place: &Place) -> Self {
        let path = module_path!().split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(format!(
                "{path}::a_wait_for_another_process_ends_with_its_call"
            ))
            .env(FILE, &place.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut holder = Self { child, said };
        assert!(
            holder.said.any(|line| line.unwrap().ends_with("locked")),
            "the other process did not take the lock"
        );
        assert_eq!(place.open_transactions().await, 1);
        holder
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other process does.
async fn hold(file: &str) {
    let mut connection = sqlx::SqliteConnection::connect(file).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await
        .unwrap();
    println!("locked");
    let end = std::io::read_to_string(std::io::stdin()).unwrap();
    assert_eq!(end, "");
}

#[tokio::test]
async fn a_wait_for_another_process_ends_with_its_call() {
    if let Ok(file) = std::env::var(FILE) {
        return hold(&file).await;
    }
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let holder = Holder::start(&place).await;

    let mut kept = false;
    for _ in 0..TRIES {
        let sends_begin = eventually("it has the slot", || async { pool.stats().in_use == 1 });
        let dropped = cut_short(sends_begin, write(&pool)).await;
        let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
            .fetch_one(&pool)
            .await
            .unwrap();
        let took = dropped.elapsed();
        figure(
            "sqlite",
            "a wait for another process",
            "steadfast",
            Some(took),
            "the same",
        );
        assert_eq!((cents, pool.stats().opened), (1000, 1));
        kept = is_kept(took);
        if kept {
            break;
        }
    }
    assert!(kept, "{TRIES} times it took longer than {PROMISED:?}");

    holder.end();
    write(&pool).await.unwrap();
    assert_eq!(place.cents(1).await, 999);
}

/// A pool of plain sqlx in which `SLOW` can be seen, and stopped by `stop`.
pub async fn plain(place: &Place, stop: &Arc<AtomicBool>) -> SqlitePool {
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let options = options.busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    place.listen_to(&mut connection).await;
    let stop = Arc::clone(stop);
    let mut handle = connection.lock_handle().await.unwrap();
    handle.set_progress_handler(1000, move || !stop.load(Ordering::Relaxed));
    drop(handle);
    drop(connection);
    pool
}

async fn slow(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query(SLOW).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// How long until the slot of a plain pool serves again, if it does.
async fn serves_again(pool: &SqlitePool, dropped: Instant) -> Option<Duration> {
    let next = tokio::time::timeout(ENOUGH, sqlx::query("SELECT 1").execute(pool)).await;
    next.is_ok().then(|| dropped.elapsed())
}

#[tokio::test]
async fn plain_sqlx_holds_the_slot() {
    let place = Place::new().await;
    let mut times = Vec::new();
    for _ in 0..plain_drops() {
        let stop = Arc::default();
        let pool = plain(&place, &stop).await;
        let dropped = cut_short(place.slow_is_running(), slow(&pool)).await;
        times.push(serves_again(&pool, dropped).await);
        stop.store(true, Ordering::Relaxed);
    }
    spread("sqlite", "sqlx", &times);
    assert!(
        times.iter().all(Option::is_none),
        "sqlx has mended this: remove its half of the test"
    );
}

#[tokio::test]
async fn plain_sqlx_waits_on() {
    let place = Place::new().await;
    let pool = plain(&place, &Arc::default()).await;
    let holder = Holder::start(&place).await;
    let sends_begin = eventually("it has the slot", || async { pool.num_idle() == 0 });
    let dropped = cut_short(sends_begin, pool.begin_with("BEGIN IMMEDIATE")).await;
    let took = serves_again(&pool, dropped).await;
    figure("sqlite", "a wait for another process", "sqlx", took, "none");
    holder.end();
    assert!(
        took.is_none(),
        "sqlx has mended this: remove its half of the test"
    );
}
