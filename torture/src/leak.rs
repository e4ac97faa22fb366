//! Thousands of calls of every kind, many of which end badly; afterwards all that they held is back where it was:
//! connections, slots, hooks, tasks, file handles, prepared statements, memory.

mod calls;
mod ground;
mod holdings;
mod job;
mod process;
mod rounds;
mod server;
mod statements;

use std::time::Duration;

use crate::campaign::{Campaign, attacks};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "leak",
    databases: attacks!(Postgres: postgres, MySql: mysql, Sqlite: sqlite),
};

/// Calls that run at once; more than there are connections, so that some wait for one.
const LANES: usize = 24;

/// Connections of each of the two pools.
const CONNECTIONS: u32 = 4;

/// Connections of plain sqlx, at the most.
const PLAIN: u32 = 3;

/// Room for the ids of one call's rows.
const ROWS: i64 = 4;

/// Calls between two looks at what they have left open.
const ROUND: usize = 500;

/// All of a short form, ahead of the measured ones and measured.
const SHORT: usize = 120;

/// What a call may add to the memory of the process. One that forgets a kilobyte adds twice that.
const BYTES_A_CALL: usize = 512;

/// What the allocator keeps is a little more at one time and less at another.
const BYTES_TO_AND_FRO: usize = 2 << 20;

/// A statement that is dropped while it is prepared stays on the connection, and is prepared anew. There are so many.
const STATEMENTS: usize = 8;

/// What ends behind its caller's back has so long to do it; it needs a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

each_database! {
    use super::calls::calls;
    use super::ground::ground;
    use super::holdings::Holdings;
    use super::job::{Fate, Job, Kind, LATE};
    use super::rounds::rounds;
    use super::server::Hosted;
    use super::statements::statements;
    use super::{BYTES_A_CALL, BYTES_TO_AND_FRO, CONNECTIONS, LANES, PATIENCE, PAUSE, PLAIN, ROUND, ROWS, SHORT, STATEMENTS, process};
    use crate::campaign::Front;
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::time::Instant;
    use futures_util::future::join_all;
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use sqlx::Row as _;
    use steadfast::{Category, Error, RetryBudget, retry, with_session};
    use tokio::runtime::Handle;
    use xtask::proxy::{Fault, Proxy};

    calls!();
    ground!();
    rounds!();
    statements!();

    type Server = <Place as Hosted>::Server;

    const HAS_SERVER: bool = !matches!(NAME.as_bytes(), b"sqlite");

    /// The proxy lets nobody send this.
    const CUT: &str = "SELECT 'cut here'";

    /// SQLite does not close a file on which somebody has a lock, and keeps the handle for the next connection.
    const SPARE_HANDLES: usize = if HAS_SERVER { 0 } else { 2 * CONNECTIONS as usize };

    pub(crate) async fn attack(front: Front) {
        let calls = match (front.settings.short, front.settings.seconds) {
            (true, _) => SHORT,
            (false, Some(_)) => 1_000,
            (false, None) => 10_000,
        };
        let expected = if front.settings.is_limited() { SHORT } else { calls };
        // The first phase warms up, and is counted as the other.
        front.report.expect("calls", 2 * expected as u64);
        front.report.expect("ended well", 2 * expected as u64 / 5);
        let faults: &[_] = if HAS_SERVER {
            &["refused", "dropped", "panicked", "late", "killed", "cut"]
        } else {
            &["refused", "dropped", "panicked", "late"]
        };
        for fault in faults {
            front.report.expect(fault, expected as u64 / 100);
        }
        if HAS_SERVER && !front.settings.is_limited() {
            front.report.expect(Fate::Unanswered.name(), expected as u64 / 500);
        }
        let server = Place::server().await;
        let untouched = Holdings { prepared_by_all: Place::prepared(&server).await.unwrap_or_default(), ..Holdings::none() };
        let without_place = process::handles();
        let place = <Place as Hosted>::on(&server).await;
        let plain = open_all(&place).await;
        let proxy = HAS_SERVER.then(|| Proxy::before(&place.url).unwrap());
        if let Some(proxy) = &proxy {
            proxy.on_each(|sent| sent.runs("cut here"), Fault::CutBefore);
        }
        let tasks = Handle::current().metrics().num_alive_tasks();
        // Only now: sqlx gives each of them back in a task.
        drop(plain);
        let handles = if HAS_SERVER { process::handles() } else { without_place };
        let origin = Holdings { tasks, handles, ..Holdings::none() };
        let ground = Arc::new(Ground::new(front.clone(), server, place, proxy).await);
        // So that whatever is made once and kept is there.
        if !ground.phase(calls).await {
            return;
        }
        front.report.count("calls", calls as u64);
        let warm = ground.holdings().await;
        let mut done = 0;
        loop {
            if !ground.phase(calls).await {
                return;
            }
            done += calls;
            front.report.count("calls", calls as u64);
            let room = Holdings {
                prepared: STATEMENTS,
                prepared_by_all: STATEMENTS * (2 * CONNECTIONS + PLAIN) as usize,
                handles: SPARE_HANDLES,
                resident: done * BYTES_A_CALL + BYTES_TO_AND_FRO,
                ..Holdings::none()
            };
            let held = ground.expect_back(Look::Thorough, &warm, &room, "behind the calls").await;
            let grown = held.resident.saturating_sub(warm.resident);
            front.report.greatest("bytes a call", (grown / done) as u64);
            front.report.greatest("prepared", held.prepared as u64);
            if held.prepared_by_all > 0 {
                front.report.greatest("prepared on the server", held.prepared_by_all as u64);
            }
            front.report.greatest("megabytes", (held.resident >> 20) as u64);
            if front.settings.seconds.is_none() || front.is_over() {
                break;
            }
        }
        for pool in [&ground.kept, &ground.rough] {
            front.report.count("connections opened", pool.stats().opened);
            let report = pool.close().await;
            if !report.is_clean() {
                front.violation(format_args!("the pool does not close: {report:?}"));
            }
        }
        if let Some(proxy) = &ground.proxy {
            // The others were told to it.
            let cut = ground.cut.load(Ordering::Relaxed);
            front.report.count(Fate::Unanswered.name(), proxy.fired().saturating_sub(cut));
        }
        if !HAS_SERVER {
            // The handles that SQLite has kept go with the last connection.
            ground.place.plain.close().await;
        }
        let room = Holdings {
            // Those of plain sqlx, which looks at all this, go with its connections.
            prepared_by_all: usize::MAX / 2,
            resident: usize::MAX / 2,
            ..Holdings::none()
        };
        ground.expect_back(Look::Thorough, &origin, &room, "behind the pools").await;
        ground.place.plain.close().await;
        ground.expect_back(Look::Last, &untouched, &Holdings::none(), "behind everybody's connections").await;
        match Arc::try_unwrap(ground) {
            Ok(ground) => Place::end(ground.server).await,
            Err(_) => front.violation("somebody still calls"),
        }
    }

    /// Opens whatever the plain pool may ever hold.
    async fn open_all(place: &Place) -> Vec<sqlx::pool::PoolConnection<Db>> {
        let all = (0..PLAIN).map(|_| place.plain.acquire());
        join_all(all).await.into_iter().map(Result::unwrap).collect()
    }
}
