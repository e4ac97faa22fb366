//! The pool in figures.

use crate::sync::{AtomicU64, Ordering};

/// What `SessionPool::stats` says: figures of one moment, each read on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// The most connections there may be.
    pub max: usize,
    /// Connections that are open: idle or in use.
    pub size: usize,
    /// Connections that wait for a session.
    pub idle: usize,
    /// Connections that a session, a statement, a lease or the reaper holds.
    pub in_use: usize,
    /// Sessions that wait for a connection.
    pub waiting: usize,
    /// Sessions whose owner has gone and that are being ended.
    pub reaping: usize,
    /// Connections opened since the pool was made.
    pub opened: u64,
    /// Connections that were pinged before they were used.
    pub pinged: u64,
    /// Sessions that the reaper has ended.
    pub reaped: u64,
}

/// Counters that deadpool does not keep. They are independent of each other: relaxed is enough.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    reaping: AtomicU64,
    reaped: AtomicU64,
    lent: AtomicU64,
}

impl Tally {
    pub(crate) fn reaping(&self) -> usize {
        usize::try_from(self.reaping.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    pub(crate) fn reaped(&self) -> u64 {
        self.reaped.load(Ordering::Relaxed)
    }

    /// How many times a connection has been given out.
    pub(crate) fn lent(&self) -> u64 {
        self.lent.load(Ordering::Relaxed)
    }

    pub(crate) fn lends(&self) {
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reaper_starts(&self) {
        self.reaping.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reaper_ends(&self) {
        self.reaping.fetch_sub(1, Ordering::Relaxed);
        self.reaped.fetch_add(1, Ordering::Relaxed);
    }
}
