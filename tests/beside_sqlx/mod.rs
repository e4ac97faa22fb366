//! The design's table of what plain sqlx 0.9 gets wrong, row by row.

mod begins;
mod commits;
mod doer;
mod drops;
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
use doer::{Doer, Failure, Who, Work};

/// What to do where the sqlx half fails.
const MENDED: &str = "sqlx has mended this: remove its half";

/// One line for each half of a row: `cargo test --test steadfast beside_sqlx -- --nocapture`.
fn show(row: u8, database: &str, who: Who, figures: std::fmt::Arguments<'_>) {
    println!("row {row:2} | {database:8} | {who:9} | {figures}");
}

/// Points that are tried at once.
const LANES: usize = 8;

/// Tries every point at which a call can be dropped, through proxies that pass what `point` says. `None` from there: the
/// call ended before it was dropped.
async fn every_point<P>(url: &str, point: impl AsyncFn(&Proxy, usize) -> Option<P>) -> Vec<P> {
    let lanes = (1..=LANES).map(async |first| {
        let proxy = Proxy::before(url).unwrap();
        let mut points = Vec::new();
        for polls in (first..).step_by(LANES) {
            match point(&proxy, polls).await {
                Some(point) => points.push(point),
                None => break,
            }
        }
        points
    });
    join_all(lanes).await.into_iter().flatten().collect()
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
