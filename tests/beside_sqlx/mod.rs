//! What plain sqlx 0.9 gets wrong, row by row of the design's table: each scenario is written once, and run by a pool
//! of sqlx and by one of steadfast, on the same server and through the same kind of proxy. The first half asserts the
//! fault, so it is real and this harness is able to make it; the second that steadfast has none.
//!
//! Figures of one run of `cargo test --test steadfast beside_sqlx -- --nocapture`. At which points a future can be
//! dropped changes a little from run to run.
//!
//! | row | file | databases | plain sqlx 0.9.0 | steadfast |
//! |---|---|---|---|---|
//! | 1 | `begins` | PG, MySQL | BEGIN and a SELECT dropped at 88 and 88 points: 13 and 15 acknowledged writes of the next user were never visible | none |
//! | 2 | `begins` | all | a nested begin dropped (83, 96, 137 points) or refused (PG): 32, 24, 40 times `commit()` was `Ok` and the first write gone | none |
//! | 3 | `commits` | PG | COMMIT of an aborted transaction: `Ok`, nothing kept | `Err`, `RolledBack`, the first error |
//! | 4 | `drops` | all | a dropped statement of 30 s runs on, and its slot served nobody within 2 s | served after 8 to 9 ms |
//! | 5 | `commits` | all | a dropped COMMIT: kept, or not; nobody is told | told `Committed`, or `Unknown` where it was cut |
//! | 6 | `commits` | PG, MySQL | a COMMIT that lost its answer is an I/O error, and tried again: 2 rows | `Unknown`, 1 row; with `verify_commit` resolved |
//! | 7 | `silent_ends` | MySQL | after a swallowed 1213 an INSERT survives `rollback()` | refused |
//! | 8 | `packets` | MySQL | after a prepare dropped in mid-answer the next statement reads that answer, or waits for ever | refused, and the next user is served |
//! | 9 | `writers` | SQLite | 61 of 64 tasks that read and then write are refused | none |
//! | 10 | `threads` | all | dropping a connection or a transaction on a plain thread panics | does not |
//! | 11 | `silence` | PG, MySQL | a connection given back on a dead socket holds its slot for more than an hour | free after 0.5 s |
//! | 12 | `round_trips` | PG, MySQL | 6 round trips for two statements, 2 of them pings | 4, none; at 2 ms, on a quiet machine, 1.4 to 1.5 times as many transactions (printed, not asserted) |
//! | 13 | `silent_ends` | all | raw COMMIT, DDL and a CALL (MySQL): `rollback()` is `Ok` and the work kept; ROLLBACK and BEGIN on the connection: `commit()` is `Ok` and the work gone | refused; `Err` |
//! | 14 | `silence` | PG, MySQL | stopped server: the slots of two timed-out queries are held for more than an hour; a COMMIT without an answer too | back after 0.3 s, slots within the second; `Unknown` after 10 s |
//! | 15 | `passwords` | PG, MySQL | the password is in the Debug of the options | nowhere |
//! | 16 | `silent_ends` | SQLite | after OR ROLLBACK, and after a full disk, the next INSERT commits itself | refused |
//! | 17 | `packets` | MySQL | dropped in mid-packet the only slot is taken for more than an hour | free within the second |
//!
//! What a database cannot have is said at its tests. Two things are milder than the table says: on SQLite `rollback()`
//! behind a raw COMMIT is an `Err` in sqlx too (the work stays all the same), and in row 17 steadfast has to close a
//! connection that lost the thread of its packets, which takes most of a second and not 10 ms.

mod begins;
mod commits;
mod doer;
mod drops;
mod packets;
mod passwords;
mod round_trips;
mod silence;
mod silent_ends;
mod threads;
mod writers;

use std::time::Duration;

use futures_util::future::join_all;
use steadfast::Backend;
use tokio::time::{Instant, timeout};
use xtask::proxy::Proxy;

use crate::support::Clock;
use crate::trickle::is_long;
use doer::{Doer, Failure, Who, Work};

/// What to do where the sqlx half fails.
const MENDED: &str = "sqlx has mended this: remove its half";

/// One line for each half of a row: `cargo test --test steadfast beside_sqlx -- --nocapture`.
fn show(row: u8, database: &str, who: Who, figures: std::fmt::Arguments<'_>) {
    println!("row {row:2} | {database:8} | {who:9} | {figures}");
}

/// Points that are tried at once.
const LANES: usize = 8;

/// How often the points are tried again where there were not enough of them.
const ROUNDS: usize = 12;

/// Tries the points at which a call can be dropped, `stride` apart. On a busy machine several bytes arrive together and
/// are one poll, so which points there are is left to chance: more rounds of them are tried until there are `enough`.
async fn every_point<P>(
    url: &str,
    stride: usize,
    enough: impl Fn(&[P]) -> bool,
    point: impl AsyncFn(&Proxy, usize) -> Option<P>,
) -> Vec<P> {
    let mut points = Vec::new();
    for _ in 0..ROUNDS {
        points.extend(round_of_points(url, stride, &point).await);
        if enough(&points) {
            break;
        }
    }
    points
}

/// Every lane goes through a proxy of its own. `point` says `None` where the call ended before it was dropped.
async fn round_of_points<P>(
    url: &str,
    stride: usize,
    point: &impl AsyncFn(&Proxy, usize) -> Option<P>,
) -> Vec<P> {
    let lanes = (0..LANES).map(async |lane| {
        let proxy = Proxy::before(url).unwrap();
        let mut points = Vec::new();
        for polls in (1 + lane * stride..).step_by(LANES * stride) {
            match point(&proxy, polls).await {
                Some(point) => points.push(point),
                None => break,
            }
        }
        points
    });
    join_all(lanes).await.into_iter().flatten().collect()
}

/// So many points show that a call can be dropped on its way.
fn are_many<P>(points: &[P]) -> bool {
    points.len() > 5
}

/// How far the points are apart. In the middle of a packet of MySQL's it takes steadfast most of a second to be sure
/// that the connection is lost, and PostgreSQL has many points that are alike. `STEADFAST_LONG=1` takes every one.
fn stride(who: Who, database: &str) -> usize {
    match (who, database) {
        _ if is_long() => 1,
        (Who::Steadfast, "mysql") => 6,
        (_, "postgres") => 2,
        _ => 1,
    }
}

/// A limit that nobody has set: what takes longer takes for ever.
const HOUR: Duration = Duration::from_secs(3600);

/// How long it takes until nobody holds a slot, on tokio's clock, which goes from limit to limit as soon as all wait.
/// `None` is an hour and more.
async fn freed_after<DB: Backend>(doer: &Doer<DB>) -> Option<Duration> {
    let clock = Clock::stop();
    clock.leap();
    let began = Instant::now();
    let looks = async {
        while !doer.is_free() {
            tokio::time::sleep((began.elapsed() / 50).max(Duration::from_millis(2))).await;
        }
    };
    let freed = timeout(HOUR, looks).await;
    freed.is_ok().then(|| began.elapsed())
}

fn or_never(freed: Option<Duration>) -> String {
    freed.map_or_else(
        || "more than an hour".to_owned(),
        |after| format!("{after:?}"),
    )
}
