//! Thousands of calls of every kind, many of which end badly; afterwards all that they held is back where it was:
//! connections, slots, hooks, tasks, file handles, prepared statements, memory.

mod calls;
mod holdings;
mod job;
mod process;

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
    use super::holdings::Holdings;
    use super::job::{Fate, Job, Kind, LATE};
    use super::{BYTES_A_CALL, BYTES_TO_AND_FRO, CONNECTIONS, LANES, PATIENCE, PAUSE, ROUND, ROWS, SHORT, STATEMENTS, process};
    use crate::campaign::Front;
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;
    use futures_util::future::join_all;
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use sqlx::Row as _;
    use steadfast::{Category, Error, RetryBudget, retry, with_session};
    use tokio::runtime::Handle;
    use xtask::proxy::{Fault, Proxy};

    calls!();

    const HAS_SERVER: bool = !matches!(NAME.as_bytes(), b"sqlite");

    /// The proxy lets nobody send this.
    const CUT: &str = "SELECT 'cut here'";

    /// SQLite does not close a file on which somebody has a lock, and keeps the handle for the next connection.
    const SPARE_HANDLES: usize = if HAS_SERVER { 0 } else { 2 * CONNECTIONS as usize };

    /// How many statements are prepared on the connection that is asked. On SQLite they are a part of our memory.
    const PREPARED: &str = match NAME.as_bytes() {
        b"postgres" => "SELECT count(*) FROM pg_prepared_statements",
        b"mysql" => "SELECT CAST(SUM(IF(variable_name = 'Com_stmt_prepare', 1, -1) * variable_value) AS SIGNED)
            FROM information_schema.session_status WHERE variable_name IN ('Com_stmt_prepare', 'Com_stmt_close')",
        _ => "SELECT 0",
    };

    pub(crate) async fn attack(front: Front) {
        let calls = match (front.settings.short, front.settings.seconds) {
            (true, _) => SHORT,
            (false, Some(_)) => 1_000,
            (false, None) => 10_000,
        };
        let expected = if front.settings.is_limited() { SHORT } else { calls };
        front.report.expect("calls", expected as u64);
        let faults: &[_] = if HAS_SERVER {
            &["refused", "dropped", "panicked", "late", "killed", "cut"]
        } else {
            &["refused", "dropped", "panicked", "late"]
        };
        for fault in faults {
            front.report.expect(fault, expected as u64 / 100);
        }
        let without_place = process::handles();
        let place = Place::new().await;
        open_all(&place).await;
        let proxy = HAS_SERVER.then(|| Proxy::before(&place.url).unwrap());
        if let Some(proxy) = &proxy {
            proxy.on_each(|sent| sent.runs("cut here"), Fault::CutBefore);
        }
        let tasks = Handle::current().metrics().num_alive_tasks();
        let handles = if HAS_SERVER { process::handles() } else { without_place };
        let origin = Holdings { tasks, handles, ..Holdings::none() };
        let ground = Arc::new(Ground::new(front.clone(), place, proxy).await);
        // So that whatever is made once and kept is there.
        if !ground.phase(calls).await {
            return;
        }
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
                handles: SPARE_HANDLES,
                resident: done * BYTES_A_CALL + BYTES_TO_AND_FRO,
                ..Holdings::none()
            };
            let held = ground.expect_back(&warm, &room, "behind the calls").await;
            let grown = held.resident.saturating_sub(warm.resident);
            front.report.greatest("bytes a call", (grown / done) as u64);
            front.report.greatest("prepared", held.prepared as u64);
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
            front.report.count("cut", proxy.fired());
        }
        if !HAS_SERVER {
            // The handles that SQLite has kept go with the last connection.
            ground.place.plain.close().await;
        }
        let room = Holdings { resident: usize::MAX / 2, ..Holdings::none() };
        ground.expect_back(&origin, &room, "behind the pools").await;
    }

    /// Opens whatever the plain pool may ever hold.
    async fn open_all(place: &Place) {
        let all = (0..3).map(|_| place.plain.acquire());
        for connection in join_all(all).await {
            connection.unwrap();
        }
    }

    #[derive(Clone, Copy)]
    enum Look {
        Brief,
        Thorough,
    }

    struct Ground {
        front: Front,
        place: Place,
        proxy: Option<Proxy>,
        /// Nothing is done to its connections that ends them on purpose.
        kept: Pool,
        /// Behind the proxy, where there is one.
        rough: Pool,
        /// Held by every hook.
        hooks: Arc<()>,
        next: AtomicUsize,
    }

    impl Ground {
        async fn new(front: Front, place: Place, proxy: Option<Proxy>) -> Self {
            let kept = place.builder(CONNECTIONS);
            let rough = match &proxy {
                Some(proxy) => Pool::builder().primary(proxy.url()).max_connections(CONNECTIONS),
                None => place.builder(CONNECTIONS),
            };
            // Not by `install`, which a planted bug would stop.
            sqlx::raw_sql(Pool::SCHEMA).execute(&place.plain).await.unwrap();
            let open = async |builder: steadfast::PoolBuilder<Db>| {
                builder.retry_budget(RetryBudget::unlimited()).connect().await.unwrap()
            };
            let (kept, rough) = (open(kept).await, open(rough).await);
            Self { front, place, proxy, kept, rough, hooks: Arc::default(), next: AtomicUsize::new(0) }
        }

        fn pool(&self, job: Job) -> &Pool {
            if job.is_rough { &self.rough } else { &self.kept }
        }

        fn hook(&self) -> Arc<()> {
            Arc::clone(&self.hooks)
        }

        fn lose_next_answer(&self) {
            if let Some(proxy) = &self.proxy {
                proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            }
        }

        /// So many calls; `false` where it makes no sense to go on.
        async fn phase(self: &Arc<Self>, calls: usize) -> bool {
            let before = self.front.report.violations();
            let first = self.next.load(Ordering::Relaxed);
            for round in (first..first + calls).step_by(ROUND) {
                let end = (round + ROUND).min(first + calls);
                let lanes = (0..LANES).map(|_| {
                    let ground = Arc::clone(self);
                    tokio::spawn(async move { ground.front.watch(ground.take(end)).await })
                });
                join_all(lanes.collect::<Vec<_>>()).await;
                self.next.store(end, Ordering::Relaxed);
                self.tidy().await;
                if self.front.report.violations() > before {
                    return false;
                }
            }
            true
        }

        /// Makes one call after the other, up to the `end` of the round.
        async fn take(&self, end: usize) {
            loop {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return;
                }
                let mut chance = self.front.settings.chance(("leak", NAME, number));
                let id = i64::try_from(number).unwrap() * ROWS;
                self.run(Job::draw(number, id, HAS_SERVER, &mut chance)).await;
            }
        }

        async fn run(&self, job: Job) {
            let call = AssertUnwindSafe(call(self, job)).catch_unwind();
            let has_deadline = job.kind.takes_a_session() || job.kind == Kind::Savepoint;
            let ended = match job.fate {
                Fate::Late if !has_deadline => tokio::time::timeout(LATE, call).await.ok(),
                Fate::Dropped(polls) => drop_at_poll(call, polls).await,
                _ => Some(call.await),
            };
            let count = || self.front.report.count(job.fate.name(), 1);
            match ended {
                None => count(),
                Some(Err(_payload)) if job.fate == Fate::Panics => count(),
                Some(Err(payload)) => std::panic::resume_unwind(payload),
                Some(Ok(Err(error))) if job.fate == Fate::Late && error.category() == Category::Timeout => count(),
                Some(Ok(_)) => {}
            }
        }

        /// Looks at what the calls of a round have left open, and makes room for the next.
        async fn tidy(&self) {
            if let (_, Some(open)) = self.beyond(Look::Brief, &Holdings::none(), &Holdings::none()).await {
                return self.front.violation(format_args!("{PATIENCE:?} behind the last call of a round there are {open}"));
            }
            sqlx::query("DELETE FROM notes").execute(&self.place.plain).await.unwrap();
            if let Some(proxy) = &self.proxy {
                proxy.reset();
            }
        }

        async fn expect_back(&self, before: &Holdings, room: &Holdings, when: &str) -> Holdings {
            let (held, beyond) = self.beyond(Look::Thorough, before, room).await;
            if let Some(beyond) = beyond {
                self.front.violation(format_args!("{PATIENCE:?} {when} there are {beyond}"));
            }
            held
        }

        /// What is held in the end, and what of it does not come back to what it was.
        async fn beyond(&self, look: Look, before: &Holdings, room: &Holdings) -> (Holdings, Option<String>) {
            let until = Instant::now() + PATIENCE;
            loop {
                let held = match look {
                    Look::Brief => self.open().await,
                    Look::Thorough => self.holdings().await,
                };
                let beyond = held.beyond(before, room);
                if beyond.is_none() || Instant::now() >= until {
                    return (held, beyond);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }

        /// What a call holds that has not ended.
        async fn open(&self) -> Holdings {
            Holdings {
                transactions: usize::try_from(self.place.open_transactions().await).unwrap(),
                slots: self.slots(),
                hooks: Arc::strong_count(&self.hooks) - 1,
                ..Holdings::none()
            }
        }

        /// With every connection open that there may be.
        async fn holdings(&self) -> Holdings {
            let mut prepared = 0;
            for pool in [&self.kept, &self.rough] {
                if !pool.is_closed() {
                    prepared = prepared.max(fill(pool).await);
                }
            }
            Holdings {
                connections: usize::try_from(self.place.connections().await).unwrap(),
                tasks: Handle::current().metrics().num_alive_tasks(),
                handles: process::handles(),
                prepared,
                resident: process::resident(),
                ..self.open().await
            }
        }

        fn slots(&self) -> usize {
            let taken = [&self.kept, &self.rough].map(|pool| {
                let stats = pool.stats();
                stats.in_use + stats.waiting + stats.reaping + pool.sessions().len()
            });
            taken.into_iter().sum()
        }
    }

    /// Opens all connections of a pool, and asks each how many statements are prepared on it.
    async fn fill(pool: &Pool) -> usize {
        let until = Instant::now() + PATIENCE;
        loop {
            match ask(pool).await {
                Ok(most) => return most,
                // A connection that was cut while nobody used it.
                Err(_) if Instant::now() < until => {}
                Err(error) => panic!("the pool has no connections: {error}"),
            }
        }
    }

    async fn ask(pool: &Pool) -> Result<usize, Error> {
        let mut leases = Vec::new();
        for _ in 0..CONNECTIONS {
            leases.push(pool.acquire().await?);
        }
        let mut most = 0;
        for mut lease in leases {
            let prepared: i64 = sqlx::raw_sql(PREPARED).fetch_one(&mut *lease).await?.try_get(0)?;
            most = most.max(usize::try_from(prepared).unwrap_or(0));
            pool.release(lease).await?;
        }
        Ok(most)
    }
}
