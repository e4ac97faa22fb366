//! What a connection's hooks read and write, on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::LockedSqliteHandle;

/// Virtual machine steps between two looks at flag and clock: about a millisecond at most, and not measurable.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

#[derive(Debug)]
pub(super) struct Flags {
    /// What the clock below counts from.
    epoch: Instant,
    /// When the running statement shall stop, in microseconds; 0 is never.
    stop_at: AtomicU64,
    /// It has stopped for that.
    pub(super) overran: AtomicBool,
    /// The running statement shall stop.
    pub(super) interrupt: AtomicBool,
    /// A commit is ours.
    pub(super) commit_permitted: AtomicBool,
    /// A permitted commit was made since the latest statement began.
    pub(super) committed: AtomicBool,
    /// The transaction was rolled back.
    pub(super) rolled_back: AtomicBool,
}

impl Flags {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            stop_at: AtomicU64::new(0),
            overran: AtomicBool::new(false),
            interrupt: AtomicBool::new(false),
            commit_permitted: AtomicBool::new(true),
            committed: AtomicBool::new(false),
            rolled_back: AtomicBool::new(false),
        }
    }

    /// Sets the three hooks.
    pub(super) fn guard(self: &Arc<Self>, handle: &mut LockedSqliteHandle<'_>) {
        let progress = Arc::clone(self);
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || progress.may_go_on());
        let commit = Arc::clone(self);
        handle.set_commit_hook(move || {
            let permitted = commit.commit_permitted.load(Ordering::Acquire);
            commit.committed.fetch_or(permitted, Ordering::AcqRel);
            permitted
        });
        let rollback = Arc::clone(self);
        handle.set_rollback_hook(move || rollback.rolled_back.store(true, Ordering::Release));
    }

    /// Whether the running statement may go on.
    pub(super) fn may_go_on(&self) -> bool {
        let stop_at = self.stop_at.load(Ordering::Acquire);
        // The clock is read only where somebody waits for it.
        if stop_at != 0 && self.micros(Duration::ZERO) >= stop_at {
            self.overran.store(true, Ordering::Release);
            return false;
        }
        !self.interrupt.load(Ordering::Acquire)
    }

    fn micros(&self, later: Duration) -> u64 {
        u64::try_from((self.epoch.elapsed().saturating_add(later)).as_micros()).unwrap_or(u64::MAX)
    }

    /// The statement that starts now may take so long.
    pub(super) fn stop_in(&self, limit: Option<Duration>) {
        self.overran.store(false, Ordering::Release);
        let stop_at = limit.map_or(0, |limit| self.micros(limit).max(1));
        self.stop_at.store(stop_at, Ordering::Release);
    }
}
