//! What the calls of one operation have come to.
//!
//! The counters are independent: all accesses are relaxed, and nothing is concluded from one about another.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::error::{Category, Outcome};

const CATEGORIES: usize = Category::ALL.len();

pub(super) struct Counters {
    started: AtomicU64,
    committed: AtomicU64,
    rolled_back: AtomicU64,
    not_sent: AtomicU64,
    unknown: AtomicU64,
    kept: AtomicU64,
    cancelled: AtomicU64,
    panicked: AtomicU64,
    hooks_failed: AtomicU64,
    retried: [AtomicU64; CATEGORIES],
    failed: [AtomicU64; CATEGORIES],
    total_nanos: AtomicU64,
    longest_nanos: AtomicU64,
}

/// What the calls of one operation have come to since the program started.
///
/// Every call that has ended counts in exactly one of `committed`, `rolled_back`, `not_sent`, `unknown` and `kept`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationStats {
    /// Calls that began.
    pub started: u64,
    /// Calls whose work was committed.
    pub committed: u64,
    /// Calls whose work was rolled back.
    pub rolled_back: u64,
    /// Calls that never sent a COMMIT and had nothing proven undone: those that ran no statement, that got no
    /// connection, or that have no session.
    pub not_sent: u64,
    /// Calls of which nobody can say whether their work was committed.
    pub unknown: u64,
    /// Calls inside a caller's session that left their work for it to commit.
    pub kept: u64,
    /// Calls that were dropped before they had an answer.
    pub cancelled: u64,
    /// Calls whose body panicked.
    pub panicked: u64,
    /// Hooks that failed, panicked, or could not be run.
    pub hooks_failed: u64,
    /// Attempts beyond the first, counted when their wait begins: a call that is dropped in it counts too.
    pub retried: u64,
    /// The time of all ended calls together, waits between attempts included.
    pub total_duration: Duration,
    /// The time of the longest call.
    pub longest_duration: Duration,
    retried_after: [u64; CATEGORIES],
    failed: [u64; CATEGORIES],
}

impl OperationStats {
    /// Calls that have begun and not ended.
    pub fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.ended())
    }

    /// Calls that have ended.
    pub fn ended(&self) -> u64 {
        self.committed + self.rolled_back + self.not_sent + self.unknown + self.kept
    }

    /// Calls that failed with an error of this category.
    pub fn failed(&self, category: Category) -> u64 {
        self.failed[category.index()]
    }

    /// Attempts that followed a failure of this category.
    pub fn retried_after(&self, category: Category) -> u64 {
        self.retried_after[category.index()]
    }

    /// The categories with which calls have failed, with their counts.
    pub fn failures(&self) -> impl Iterator<Item = (Category, u64)> + use<> {
        met(self.failed)
    }

    /// The categories that attempts were repeated after, with their counts.
    pub fn retries(&self) -> impl Iterator<Item = (Category, u64)> + use<> {
        met(self.retried_after)
    }
}

fn met(counts: [u64; CATEGORIES]) -> impl Iterator<Item = (Category, u64)> {
    Category::ALL
        .into_iter()
        .zip(counts)
        .filter(|&(_, count)| count > 0)
}

impl fmt::Debug for OperationStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationStats")
            .field("started", &self.started)
            .field("committed", &self.committed)
            .field("rolled_back", &self.rolled_back)
            .field("not_sent", &self.not_sent)
            .field("unknown", &self.unknown)
            .field("kept", &self.kept)
            .field("cancelled", &self.cancelled)
            .field("panicked", &self.panicked)
            .field("hooks_failed", &self.hooks_failed)
            .field("retried", &Met(self.retried_after))
            .field("failed", &Met(self.failed))
            .field("total_duration", &self.total_duration)
            .field("longest_duration", &self.longest_duration)
            .finish()
    }
}

struct Met([u64; CATEGORIES]);

impl fmt::Debug for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(met(self.0).map(|(category, count)| (category.as_str(), count)))
            .finish()
    }
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self {
            started: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            rolled_back: AtomicU64::new(0),
            not_sent: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            hooks_failed: AtomicU64::new(0),
            retried: [const { AtomicU64::new(0) }; CATEGORIES],
            failed: [const { AtomicU64::new(0) }; CATEGORIES],
            total_nanos: AtomicU64::new(0),
            longest_nanos: AtomicU64::new(0),
        }
    }

    pub(super) fn started(&self) {
        add(&self.started);
    }

    pub(super) fn cancelled(&self) {
        add(&self.cancelled);
    }

    pub(super) fn panicked(&self) {
        add(&self.panicked);
    }

    pub(super) fn hook_failed(&self) {
        add(&self.hooks_failed);
    }

    pub(super) fn retried(&self, category: Category) {
        add(&self.retried[category.index()]);
    }

    pub(super) fn failed(&self, category: Category) {
        add(&self.failed[category.index()]);
    }

    pub(super) fn ended(&self, outcome: Outcome, nested: bool, duration: Duration) {
        add(match outcome {
            Outcome::Committed if nested => &self.kept,
            Outcome::Committed => &self.committed,
            Outcome::RolledBack => &self.rolled_back,
            Outcome::NotSent => &self.not_sent,
            Outcome::Unknown => &self.unknown,
        });
        // 584 years fit.
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.total_nanos.fetch_add(nanos, Relaxed);
        self.longest_nanos.fetch_max(nanos, Relaxed);
    }

    pub(super) fn read(&self) -> OperationStats {
        let retried_after = self.retried.each_ref().map(read);
        OperationStats {
            // Read before `started`, so that a call that ends meanwhile is in flight rather than in excess.
            committed: read(&self.committed),
            rolled_back: read(&self.rolled_back),
            not_sent: read(&self.not_sent),
            unknown: read(&self.unknown),
            kept: read(&self.kept),
            cancelled: read(&self.cancelled),
            panicked: read(&self.panicked),
            hooks_failed: read(&self.hooks_failed),
            started: read(&self.started),
            retried: retried_after.iter().sum(),
            total_duration: Duration::from_nanos(read(&self.total_nanos)),
            longest_duration: Duration::from_nanos(read(&self.longest_nanos)),
            retried_after,
            failed: self.failed.each_ref().map(read),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
