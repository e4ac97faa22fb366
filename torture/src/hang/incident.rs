//! One call whose server falls silent: when it was back, and what it was told.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use steadfast::{Error, Outcome, SessionPool};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use super::lag::Lag;
use super::phase::Phase;
use crate::campaign::Front;

/// What each call is given.
pub(super) const DEADLINE: Duration = Duration::from_secs(1);
/// How long COMMIT is waited for where a call has no deadline: until after that of those that have one.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long a rollback may take that nobody has set a limit to.
pub(super) const LADDER: Duration = Duration::from_millis(900);

/// A caller is back so long after its deadline at the latest.
const BACK: Duration = Duration::from_millis(100);
/// And its slot is.
const SLOT: Duration = Duration::from_secs(1);
/// Timers tick in milliseconds, and a few of them follow one another.
const TICKS: Duration = Duration::from_millis(10);
/// As many wakings follow one another, each of which may be as late as the latest that was seen.
const WAKINGS: u32 = 4;
/// In the short form machines are busy with other things: whoever is later has waited for something else.
const BUSY: Duration = Duration::from_secs(4);
/// A slot that is not back by then will not come.
const NEVER: Duration = Duration::from_secs(15);

/// When all is silent, and who has come how far by then.
#[derive(Debug)]
pub(super) struct Silence {
    arrived: Semaphore,
    fallen: watch::Sender<Option<Instant>>,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            arrived: Semaphore::new(0),
            fallen: watch::Sender::new(None),
        }
    }

    /// A call has come to its phase.
    pub(super) fn arrive(&self, run: &Run) {
        if self.fallen.borrow().is_none() {
            run.seen.arrived.store(true, Ordering::Relaxed);
        }
        self.arrived.add_permits(1);
    }

    /// Waits until so many have; not for those that this machine has kept from it.
    pub(super) async fn all_arrived(&self, calls: usize) {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let _ = timeout(DEADLINE / 2, self.arrived.acquire_many(calls)).await;
    }

    pub(super) fn falls(&self) {
        self.fallen.send_replace(Some(Instant::now()));
    }

    /// When it fell, once it has.
    pub(super) async fn fallen(&self) -> Instant {
        let mut fallen = self.fallen.subscribe();
        let fallen = fallen.wait_for(Option::is_some).await;
        fallen
            .ok()
            .and_then(|since| *since)
            .expect("it falls while somebody waits")
    }
}

/// What a call is to do.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) phase: Phase,
    /// Each phase can be met in two ways; see where it is run.
    pub(super) is_second: bool,
    /// Of the rows that it writes.
    pub(super) id: i64,
    pub(super) seen: Arc<Seen>,
}

/// What is seen of a call while it runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// It has come to its phase in time.
    arrived: AtomicBool,
    /// What its `on_end` was told.
    ended: OnceLock<Outcome>,
}

impl Seen {
    pub(super) fn ends(&self, outcome: Outcome) {
        self.ended.set(outcome).expect("a session ends once");
    }
}

impl Run {
    pub(super) fn new(phase: Phase, is_second: bool) -> Self {
        Self {
            phase,
            is_second,
            id: fresh(),
            seen: Arc::default(),
        }
    }

    /// Whether the server was silent in this phase, and not in another.
    pub(super) fn has_met(&self) -> bool {
        self.phase.comes_after() || self.seen.arrived.load(Ordering::Relaxed)
    }

    /// How many rows are there where all is.
    fn whole(&self) -> i64 {
        if self.phase == Phase::Nested { 2 } else { 1 }
    }

    /// Whether the call has a deadline of its own.
    pub(super) fn is_limited(&self) -> bool {
        let by_the_pool = matches!(
            self.phase,
            Phase::Acquire | Phase::Begin | Phase::Commit | Phase::Rollback
        );
        !(self.is_second && by_the_pool)
    }

    /// When the caller must be back, but for what the deadline allows on top.
    pub(super) fn due(&self, began: Instant, fallen: Instant) -> Instant {
        match self.phase {
            Phase::Dropped => fallen,
            _ if self.is_limited() => began + DEADLINE,
            Phase::Commit => fallen + COMMIT_TIMEOUT,
            Phase::Rollback => fallen + LADDER,
            // The pool's acquire timeout is the same.
            _ => began + DEADLINE,
        }
    }
}

/// An id that no other call of this process has.
pub(super) fn fresh() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) run: Run,
    due: Instant,
    back: Instant,
    /// `None`: there was nobody to be told.
    pub(super) answer: Option<Result<(), Error>>,
    freed: Option<Instant>,
}

impl Incident {
    /// A call that is back now; waits for its slot.
    pub(super) async fn note<DB: steadfast::Backend>(
        run: Run,
        due: Instant,
        answer: Option<Result<(), Error>>,
        pool: &SessionPool<DB>,
    ) -> Self {
        let back = Instant::now();
        let freed = async {
            while pool.stats().in_use > 0 {
                sleep(Duration::from_millis(2)).await;
            }
            Instant::now()
        };
        let freed = timeout(NEVER, freed).await.ok();
        Self {
            run,
            due,
            back,
            answer,
            freed,
        }
    }

    /// Whether it was in time.
    pub(super) fn time(&self, front: &Front, what: impl fmt::Display, lag: &Lag) {
        let phase = self.run.phase;
        let slack = TICKS
            + lag.since(self.due - SLOT) * WAKINGS
            + if front.settings.short {
                BUSY
            } else {
                Duration::ZERO
            };
        front
            .report
            .greatest("ms of lag", millis(lag.since(self.due - SLOT)));
        let late = self.back.saturating_duration_since(self.due);
        if self.answer.is_some() {
            front.report.greatest("ms behind a deadline", millis(late));
            if late > BACK + slack {
                front.violation(format_args!(
                    "{what} {phase}: the caller is back {late:?} after its deadline: {self:?}"
                ));
            }
        }
        let Some(freed) = self.freed else {
            front.violation(format_args!("{what} {phase}: the slot never comes back"));
            return;
        };
        let held = freed.saturating_duration_since(self.due);
        front
            .report
            .greatest("ms until a slot is free", millis(held));
        if held > SLOT + slack {
            front.violation(format_args!(
                "{what} {phase}: the slot is free after {held:?}: {self:?}"
            ));
        }
    }

    /// The outcome that its caller knows.
    pub(super) fn told(&self) -> Option<Outcome> {
        self.answer.as_ref().map(|answer| match answer {
            Ok(()) => Outcome::Committed,
            Err(error) => error.outcome(),
        })
    }

    /// Whether what was told is true: of its rows so many are there.
    pub(super) fn compare(&self, front: &Front, what: impl fmt::Display, there: i64) {
        let whole = self.run.whole();
        let is_true = |told: Outcome| match told {
            Outcome::Committed => there == whole,
            Outcome::NotSent | Outcome::RolledBack => there == 0,
            _ => there == 0 || there == whole,
        };
        let (told, ended) = (self.told(), self.run.seen.ended.get().copied());
        if !(there == 0 || there == whole) || ![told, ended].into_iter().flatten().all(is_true) {
            front.violation(format_args!(
                "{what} {}: {there} rows of {whole} are there, told {told:?}, on_end {ended:?}: {self:?}",
                self.run.phase
            ));
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
