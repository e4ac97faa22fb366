//! What one call is to do, and how long it may take.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use steadfast::Outcome;
use tokio::time::Instant;

use super::phase::Phase;

/// What each call is given.
pub(super) const DEADLINE: Duration = Duration::from_secs(1);
/// How long COMMIT is waited for where a call has no deadline: until after that of those that have one.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long a rollback may take that nobody has set a limit to.
pub(super) const LADDER: Duration = Duration::from_millis(900);

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
    /// When its body was through.
    left: OnceLock<Instant>,
    /// What its `on_end` was told, or what is certain without one.
    ended: OnceLock<Outcome>,
}

impl Seen {
    pub(super) fn arrives(&self) {
        self.arrived.store(true, Ordering::Relaxed);
    }

    pub(super) fn leaves(&self) {
        self.left.set(Instant::now()).expect("a body runs once");
    }

    pub(super) fn ends(&self, outcome: Outcome) {
        self.ended.set(outcome).expect("a session ends once");
    }

    pub(super) fn ended(&self) -> Option<Outcome> {
        self.ended.get().copied()
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
    pub(super) fn whole(&self) -> i64 {
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

    fn left_or(&self, fallen: Instant) -> Instant {
        *self.seen.left.get().unwrap_or(&fallen)
    }

    /// When the caller must be back, but for what the deadline allows on top.
    pub(super) fn due(&self, began: Instant, fallen: Instant) -> Instant {
        match self.phase {
            phase if phase.is_given_up() => fallen,
            _ if self.is_limited() => began + DEADLINE,
            Phase::Commit => self.left_or(fallen) + COMMIT_TIMEOUT,
            Phase::Rollback => self.left_or(fallen) + LADDER,
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
