//! Drops calls after each of their polls, in every form, straight and through a proxy that passes a few bytes at a
//! time, and looks at what is left: the work whole or not at all, no transaction, no slot, nothing that the next user
//! of the connection would notice.

mod calls;
mod control;
mod cut;
mod form;
mod told;

use std::time::{Duration, Instant};

use crate::campaign::{Campaign, attacks};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "cancel",
    databases: attacks!(Postgres: postgres, MySql: mysql, Sqlite: sqlite),
};

/// Points that are tried at once, each on a schema, database or file of its own.
const LANES: usize = 8;

/// Over a slow wire so many others pass ahead of the next user, each of whom needs as long as he does at the most: the
/// cancel, a control connection for it, and the end of the old connection.
const OTHERS: u32 = 3;

/// How long anybody is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long plain sqlx is waited for: what it holds it holds for good.
const ENOUGH: Duration = Duration::from_millis(500);

/// What is left of sessions that were dropped behind COMMIT, and ahead of it.
const WHOLE: &str = "whole";
const UNDONE: &str = "undone";

/// Room for the ids of one point's rows.
const ROOM: i64 = 16;

/// A line is at its end when a call has ended so often, one point after the other, ahead of being dropped: a poll may
/// find several answers at once.
const ENDED: usize = 2;

/// Waits for a condition, as long as `PATIENCE`; says whether it came to hold.
async fn holds<C: Future<Output = bool>>(mut condition: impl FnMut() -> C) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

each_database! {
    use super::calls::calls;
    use super::form::{Cut, Form, Line};
    use super::told::Told;
    use super::{ENDED, ENOUGH, LANES, OTHERS, PATIENCE, ROOM, UNDONE, WHOLE, holds};
    use super::control::control;
    use crate::campaign::Front;
    use crate::heir::Heir;
    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use futures_util::TryStreamExt as _;
    use futures_util::future::join_all;
    use steadfast::{Error, RetryBudget, retry, with_session};
    use steadfast_tests::support::{Lag, transient};
    use tokio::time::Instant;
    use xtask::proxy::Proxy;

    calls!();
    control!();

    const HAS_WIRE: bool = !matches!(NAME.as_bytes(), b"sqlite");

    /// The next user's write. It takes a while, so that what comes late for somebody else would hit it.
    const NEXT: &str = match NAME.as_bytes() {
        b"postgres" => "INSERT INTO notes (id, body) SELECT $1, $2 FROM pg_sleep(0.008)",
        b"mysql" => "INSERT INTO notes (id, body) SELECT $1, CONCAT($2, SLEEP(0.008))",
        _ => NOTE,
    };

    type Plan = Arc<Mutex<VecDeque<Line>>>;

    /// The forms of which some call was dropped.
    type Seen = Arc<Mutex<BTreeSet<Form>>>;

    pub(crate) async fn attack(front: Front) {
        let is_limited = front.settings.is_limited();
        front.report.expect("points", match (is_limited, HAS_WIRE) {
            (true, true) => 40,
            (true, false) => 25,
            (false, true) => 2_300,
            (false, false) => 400,
        });
        for figure in ["dropped ahead of a retry", "dropped in a second attempt"] {
            front.report.expect(figure, if is_limited { 0 } else { 20 });
        }
        let mut chance = front.settings.chance(("cancel", NAME));
        let mut plan = if front.settings.short { Line::some(HAS_WIRE, &mut chance) } else { Line::all(HAS_WIRE) };
        chance.shuffle(&mut plan);
        // Without a wire there are so few polls that it is worth while to see each of them under other circumstances.
        let rounds = if HAS_WIRE || front.settings.short { 1 } else { 6 };
        let plan = VecDeque::from(plan.repeat(rounds));
        let plan: Plan = Arc::new(Mutex::new(plan));
        let lag = Lag::default();
        let seen = Seen::default();
        let lanes = (0..LANES).map(|_| {
            let (front, plan, lag, seen) = (front.clone(), Arc::clone(&plan), lag.clone(), Arc::clone(&seen));
            tokio::spawn(async move { front.watch(take(&front, &plan, &lag, &seen)).await })
        });
        let lanes: Vec<_> = lanes.collect();
        lag.beside(async { drop(join_all(lanes).await) }).await;
        let is_whole = plan.lock().unwrap().is_empty() && !front.is_over();
        if is_whole {
            for cut in Cut::ALL {
                front.report.expect(cut.figure(), if is_limited { 1 } else { 20 });
            }
            for figure in [WHOLE, UNDONE] {
                front.report.expect(figure, if is_limited { 1 } else { 20 });
            }
            for form in Form::ALL.iter().filter(|form| !seen.lock().unwrap().contains(form)) {
                front.violation(format_args!("no call of {form:?} was dropped"));
            }
        }
        if !front.settings.short {
            control(&front).await;
        }
    }

    /// Takes one line after the other.
    async fn take(front: &Front, plan: &Plan, lag: &Lag, seen: &Seen) {
        loop {
            // A place that somebody has spoiled shows nothing more.
            let mut lane = Lane::new(front, lag, seen).await;
            let before = front.report.violations();
            while front.report.violations() == before {
                let Some(next) = plan.lock().unwrap().pop_front().filter(|_| !front.is_over()) else {
                    return lane.recount().await;
                };
                lane.follow(next).await;
            }
        }
    }

    /// The rows of one point.
    async fn left(place: &Place, base: i64) -> Vec<i64> {
        sqlx::query_scalar(sql("SELECT id FROM notes WHERE id >= $1 AND id < $2 ORDER BY id"))
            .bind(base).bind(base + ROOM)
            .fetch_all(&place.plain).await.unwrap()
    }

    struct Lane<'f> {
        front: &'f Front,
        place: Place,
        proxy: Option<Proxy>,
        /// What serves each call that needs no new connection, and whether it goes through the proxy.
        kept: Option<(bool, Pool)>,
        points: i64,
        rows: usize,
        lag: &'f Lag,
        seen: &'f Seen,
        /// How long the next user needs when he is alone, over each wire.
        alone: BTreeMap<Option<usize>, Duration>,
    }

    impl<'f> Lane<'f> {
        async fn new(front: &'f Front, lag: &'f Lag, seen: &'f Seen) -> Self {
            let place = Place::new().await;
            let proxy = HAS_WIRE.then(|| Proxy::before(&place.url).unwrap());
            Self { front, place, proxy, kept: None, points: 0, rows: 0, lag, seen, alone: BTreeMap::new() }
        }

        async fn follow(&mut self, line: Line) {
            let mut ended = 0;
            let before = self.front.report.violations();
            if !self.alone.contains_key(&line.trickle) {
                self.see_alone(line).await;
            }
            for after in (line.first..).step_by(line.stride) {
                let pool = self.pool(line).await;
                if self.point(&pool, line, after).await {
                    ended = 0;
                } else {
                    ended += 1;
                }
                if line.is_fresh {
                    pool.close().await;
                } else {
                    self.kept = Some((line.trickle.is_some(), pool));
                }
                if ended == ENDED || self.front.is_over() || self.front.report.violations() > before {
                    return;
                }
            }
        }

        /// The longest that the next user needs when he is alone, as far as that was seen: he connects, as he may have to
        /// behind a call that was dropped, and writes.
        async fn see_alone(&mut self, line: Line) -> Duration {
            let began = Instant::now();
            let base = self.points * ROOM;
            self.points += 1;
            self.rows += 1;
            self.trickle(line.trickle.unwrap_or(0));
            let pool = self.pool(Line { is_fresh: true, ..line }).await;
            let write = sqlx::query(sql(NEXT)).bind(base).bind(base.to_string());
            write.execute(&pool).await.unwrap();
            let took = began.elapsed();
            self.trickle(0);
            pool.close().await;
            let alone = self.alone.entry(line.trickle).or_default();
            *alone = took.max(*alone);
            *alone
        }

        /// `Some` with what he needs alone.
        async fn is_late(&mut self, line: Line, served: Duration, lag: Duration) -> Option<Duration> {
            let is_late = |alone: &Duration| served > PROMISED + (1 + OTHERS) * *alone + forgiven(lag);
            let alone = self.alone.get(&line.trickle).copied().unwrap_or_default();
            if !is_late(&alone) {
                return None;
            }
            // Meanwhile the machine may have become slower.
            Some(self.see_alone(line).await).filter(is_late)
        }

        async fn pool(&mut self, line: Line) -> Pool {
            let has_proxy = line.trickle.is_some();
            if let Some((is_behind, pool)) = self.kept.take()
                && is_behind == has_proxy
                && !line.is_fresh
            {
                return pool;
            }
            let url = match &self.proxy {
                Some(proxy) if has_proxy => proxy.url(),
                _ => self.place.url.clone(),
            };
            // Every call of one form is tried again.
            let builder = Pool::builder().primary(url).retry_budget(RetryBudget::unlimited());
            builder.max_connections(1).acquire_timeout(PATIENCE).connect().await.unwrap()
        }

        fn trickle(&self, bytes: usize) {
            if let Some(proxy) = &self.proxy {
                proxy.trickle(bytes);
            }
        }

        /// Drops one call, and looks at what is left. `false` if it had ended before.
        async fn point(&mut self, pool: &Pool, line: Line, after: usize) -> bool {
            let base = self.points * ROOM;
            self.points += 1;
            let told = Told::default();
            let before = self.front.report.violations();
            self.trickle(line.trickle.unwrap_or(0));
            let ended = line.cut.apply(run(pool.clone(), line.form, base, told.clone()), after).await;
            // At once: whoever is next waits for the connection already.
            let next = base + ROOM - 1;
            let dropped = Instant::now();
            let write = sqlx::query(sql(NEXT)).bind(next).bind(next.to_string());
            let written = tokio::time::timeout(PATIENCE, write.execute(pool)).await;
            let (served, lag) = (dropped.elapsed(), self.lag.between(dropped, Instant::now()));
            self.trickle(0);
            let front = self.front;
            let complain = |what: String| {
                front.violation(format_args!("{line} after {after}: {what}"));
            };
            let is_free = holds(|| async { pool.stats().in_use == 0 && pool.sessions().is_empty() }).await;
            if !is_free {
                complain(format!("the slot is not free after {PATIENCE:?}: {:?} {:?}", pool.stats(), pool.sessions()));
            }
            if lag > TOO_BUSY {
                self.front.report.count("on a machine too busy to tell the time", 1);
            } else if written.is_ok() && let Some(alone) = self.is_late(line, served, lag).await {
                complain(format!("the next user was served after {served:?}, alone he needs {alone:?}, the lag {lag:?}"));
            }
            if line.trickle.is_none() {
                let millis = u64::try_from(served.as_millis()).unwrap_or(u64::MAX);
                self.front.report.greatest("ms until a next user is served", millis);
            }
            let left = left(&self.place, base).await;
            let rows = line.form.rows();
            self.rows += left.len();
            let (own, others): (Vec<i64>, Vec<i64>) = left.into_iter().partition(|id| *id != next);
            match written {
                Ok(Ok(_)) if others.is_empty() => {
                    complain("the next user's write was acknowledged, and is lost".to_owned());
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => complain(format!("the next user's write was refused: {error}")),
                Err(_) => complain(format!("the next user's write was not answered within {PATIENCE:?}")),
            }
            let is_prefix = own.iter().copied().eq((base + 1..).take(own.len()));
            let may_be = own.is_empty() || own.len() == rows || line.form.may_leave_a_part();
            if !is_prefix || !may_be {
                complain(format!("{} of {rows} rows are there", own.len()));
            }
            if line.form == Form::Hooks && let Some(lie) = told.lie(own.len(), rows) {
                complain(lie);
            }
            // What has gone wrong already need not be waited for.
            if self.front.report.violations() == before
                && !holds(|| async { self.place.open_transactions().await == 0 }).await
            {
                complain(format!("a transaction is open after {PATIENCE:?}"));
            }
            let Some(answer) = ended else {
                self.seen.lock().unwrap().insert(line.form);
                self.front.report.count("points", 1);
                self.front.report.count(line.cut.figure(), 1);
                if let Some(stage) = told.stage() {
                    self.front.report.count(stage, 1);
                }
                let figure = match own.len() {
                    _ if line.form.may_leave_a_part() => "without a transaction",
                    0 => UNDONE,
                    _ => WHOLE,
                };
                self.front.report.count(figure, 1);
                return true;
            };
            if let Err(error) = &answer {
                complain(format!("nothing disturbed it, and it answered {error}"));
            } else if own.len() != rows {
                complain(format!("it answered Ok, and {} of {rows} rows are there", own.len()));
            }
            false
        }

        /// What was undone stays undone, and what was there stays.
        async fn recount(&self) {
            let rows = usize::try_from(self.place.count("notes").await).unwrap();
            if rows != self.rows {
                self.front.violation(format_args!("{rows} rows are there in the end, and were {} at first", self.rows));
            }
        }
    }
}
