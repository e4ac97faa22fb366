//! Histories on SQLite, where a stranger holds the lock from time to time.

use std::time::Duration;

use sqlx::Connection as _;
use steadfast_tests::support::sqlite::{NAME, Place, Pool, Session, sql};
use steadfast_tests::support::{PATIENCE, drop_at_poll, quiet, transient};

/// All in all.
const CALLS: i64 = 5_200;

/// Between two locks of the stranger, and the longest that he holds one.
const PAUSE: Duration = Duration::from_millis(50);

lanes!();

pub(super) async fn attack(front: Front) {
    let calls = if front.settings.short { 400 } else { CALLS };
    let is_limited = front.settings.is_limited();
    let (transactions, strangers) = if is_limited {
        (100, 1)
    } else {
        (CALLS.unsigned_abs(), 30)
    };
    front.report.expect("transactions", transactions);
    front.report.expect("committed", transactions / 2);
    front.report.expect("locks of a stranger", strangers);
    front.report.expect("dropped", strangers);
    let place = Place::new().await;
    prepare(&place, calls).await;
    let pool = place.pool(CONNECTIONS).await;
    let work = Work::new(
        &front,
        Isolation::Serializable,
        place,
        [pool.clone(), pool],
        calls,
    );
    if work.run(hold_lock(&work)).await {
        work.conclude().await;
    }
}

async fn hold_lock(work: &Work) {
    let mut chance = work.front.settings.chance(("stranger", NAME));
    let mut stranger = work.place.plain.acquire().await.expect("the file is there");
    while !work.is_over() {
        tokio::time::sleep(PAUSE).await;
        let taken = stranger.begin_with("BEGIN IMMEDIATE").await;
        let taken = taken.expect("the lock is had within ten seconds");
        tokio::time::sleep(PAUSE.mul_f64(chance.f64())).await;
        taken.rollback().await.expect("the lock is given back");
        work.front.report.count("locks of a stranger", 1);
    }
}
