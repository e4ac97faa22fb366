//! What somebody should be woken for.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a pool tells the closure given to [`PoolBuilder::on_critical`](crate::PoolBuilder::on_critical).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CriticalEvent {
    /// Nobody knows whether the work of a call was committed.
    CommitUnknown {
        /// The operation that was called.
        operation: &'static str,
        /// The id of the call.
        id: u64,
    },
    /// A commit could not be noted in the ledger, and was not made: its table is missing, or is another version's.
    LedgerMissing {
        /// The operation that asks for `verify_commit`.
        operation: &'static str,
        /// The id of the call.
        id: u64,
    },
    /// The database ran out of something: disk, memory, connections of its own.
    Resource {
        /// The operation that met it.
        operation: &'static str,
        /// The id of the call.
        id: u64,
    },
}

/// Who is told.
#[derive(Clone, Default)]
pub(super) struct Watcher(Option<Arc<dyn Fn(CriticalEvent) + Send + Sync>>);

impl Watcher {
    pub(super) fn new(watch: impl Fn(CriticalEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// A watcher that panics takes nobody along.
    pub(super) fn tell(&self, event: CriticalEvent) {
        tracing::error!(target: "steadfast::critical", ?event, "somebody should look");
        if let Some(watch) = &self.0
            && catch_unwind(AssertUnwindSafe(|| watch(event))).is_err()
        {
            tracing::error!(target: "steadfast::critical", "the closure given to `on_critical` panicked");
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}
