//! A statement of 30 seconds whose call is dropped after 100 ms: how long until its slot serves the next
//! statement, and on which connection. Plain sqlx beside it, in figures.

pub mod sqlite_alone;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use crate::support::drop_when;
use crate::trickle::is_long;

/// A client that loses patience: the scenario, and not a wait for something to have happened.
const DROPPED_AFTER: Duration = Duration::from_millis(100);

/// What nearly every slot takes on loopback, on a machine with nothing else to do.
const GOAL: Duration = Duration::from_millis(20);

/// How long plain sqlx is waited for.
const ENOUGH: Duration = Duration::from_secs(3);

fn figure(database: &str, case: &str, who: &str, took: Option<Duration>, connection: &str) {
    let took = took.map_or_else(|| format!("> {ENOUGH:?}"), |took| format!("{took:.1?}"));
    println!("{database:9} | {case:26} | {who:9} | {took:>9} | {connection}");
}

fn same(before: i64, after: i64) -> String {
    if before == after {
        format!("the same ({before})")
    } else {
        format!("another ({before}, then {after})")
    }
}

/// A distribution wants many; `STEADFAST_LONG=1` takes them.
fn drops() -> usize {
    if is_long() { 200 } else { 10 }
}

/// Each holds its slot for as long as anybody waits.
fn plain_drops() -> usize {
    if is_long() { 10 } else { 1 }
}

/// How long the half of them, and nearly all, had to wait. One that was not served has waited for longest.
fn spread(database: &str, who: &str, times: &[Option<Duration>]) -> [Duration; 2] {
    let mut waited: Vec<_> = times.iter().map(|took| took.unwrap_or(ENOUGH)).collect();
    waited.sort_unstable();
    let quantile = |percent: usize| waited[(waited.len() * percent).div_ceil(100) - 1];
    let [half, most] = [quantile(50), quantile(99)];
    let (drops, unserved) = (
        times.len(),
        times.iter().filter(|took| took.is_none()).count(),
    );
    println!(
        "{database:9} | {drops:3} drops | {who:9} | p50 {half:9.1?} | p99 {most:9.1?} | not served in {ENOUGH:?}: {unserved}"
    );
    [half, most]
}

/// Runs a call for a while and drops it once it has come so far.
async fn cut_short<T: Debug>(
    so_far: impl Future<Output = ()>,
    call: impl Future<Output = T>,
) -> Instant {
    let so_far = async {
        tokio::time::sleep(DROPPED_AFTER).await;
        so_far.await;
    };
    drop_when(so_far, call).await;
    Instant::now()
}

each_database! {
    use super::*;
    use steadfast::{Error, with_session};

    #[with_session]
    async fn slow(session: &mut Session) -> Result<(), Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents - $1 WHERE id = $2"))
            .bind(1_i64).bind(1_i64).execute(&mut *session).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    async fn touch(pool: &Pool) {
        sqlx::query("SELECT 1").execute(pool).await.unwrap();
    }

    #[tokio::test]
    async fn the_slot_serves_the_next_statement_within_a_second() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let before: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        let opened = pool.stats().opened;

        let mut kept = false;
        for _ in 0..TRIES {
            let dropped = cut_short(place.slow_is_running(), slow(&pool)).await;
            let after: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
            let took = dropped.elapsed();

            let connection = if NAME == "sqlite" { "the same".to_owned() } else { same(before, after) };
            figure(NAME, "a statement of 30 s", "steadfast", Some(took), &connection);
            assert_eq!(after, before);
            assert_eq!(pool.stats().opened, opened);
            assert_eq!(place.cents(1).await, 1000);
            assert_eq!(place.open_transactions().await, 0);
            kept = is_kept(took);
            if kept {
                break;
            }
        }
        assert!(kept, "{TRIES} times it took longer than {PROMISED:?}");
    }

    #[tokio::test]
    async fn nearly_every_slot_serves_at_once() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        touch(&pool).await;
        let mut times = Vec::new();
        for _ in 0..drops() {
            let dropped = cut_short(place.slow_is_running(), slow(&pool)).await;
            touch(&pool).await;
            times.push(Some(dropped.elapsed()));
        }
        let [half, most] = spread(NAME, "steadfast", &times);
        assert!(half < PROMISED, "{half:?}");
        assert!(!is_long() || most <= GOAL, "{most:?}");
        assert_eq!((pool.stats().opened, place.cents(1).await), (1, 1000));
        // Nothing is left that would stop the connection's next user.
        for _ in 0..20 {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
                .bind(1_i64).bind(2_i64).execute(&pool).await.unwrap();
        }
        assert_eq!(place.cents(2).await, 1020);
    }
}

// The fault is real: sqlx holds the slot to the statement's end.
mod plain {
    use super::*;

    each_server! {
        use super::*;

        async fn slow(pool: &Plain) -> sqlx::Result<()> {
            let mut transaction = pool.begin().await?;
            sqlx::query(SLOW).execute(&mut *transaction).await?;
            transaction.commit().await
        }

        #[tokio::test]
        async fn plain_sqlx_holds_the_slot() {
            let place = Place::new().await;
            let mut times = Vec::new();
            for _ in 0..plain_drops() {
                let pool = sqlx::pool::PoolOptions::<Db>::new().max_connections(1).connect(&place.url).await.unwrap();
                pool.acquire().await.unwrap();
                let dropped = cut_short(place.slow_is_running(), slow(&pool)).await;
                let next = tokio::time::timeout(ENOUGH, sqlx::query_scalar::<_, i64>(WHICH).fetch_one(&pool)).await;
                times.push(next.is_ok().then(|| dropped.elapsed()));
                place.cancel_slow().await;
            }
            spread(NAME, "sqlx", &times);
            assert!(times.iter().all(Option::is_none), "sqlx has mended this: remove its half of the test");
        }
    }
}
