//! Who holds what: the sessions of a pool that are open or wait for a connection, and the one record that
//! each call leaves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Category, Outcome};
use crate::operation::Operation;
use crate::sync::{Mutex, MutexGuard, Notify};

/// What `SessionPool::sessions` says of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The id that `Session::id` gives.
    pub id: u64,
    /// The operation that opened it.
    pub operation: &'static str,
    /// Which attempt of the call this is; the first is 1.
    pub attempt: u32,
    /// What it is doing.
    pub stage: SessionStage,
    /// When the call began.
    pub since: SystemTime,
    /// How long ago that was.
    pub age: Duration,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionStage {
    /// It waits for a connection.
    Waiting,
    /// It holds a connection.
    Open,
    /// It is being committed or rolled back.
    Ending,
    /// It holds no connection any more; its hooks run.
    Hooks,
}

/// How the attempts of a call have ended.
#[derive(Clone, Copy, Debug, Default)]
struct Ended {
    /// What became of the work of the latest attempt.
    outcome: Option<Outcome>,
    /// And of those ahead of it.
    before: Option<Outcome>,
    category: Option<Category>,
}

/// One call, from its first line to its record. Shared by the call and its session; whichever ends last, be
/// it the reaper, writes the record.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) operation: &'static Operation,
    pub(crate) started: Instant,
    since: SystemTime,
    attempt: AtomicU32,
    stage: AtomicU8,
    ended: Mutex<Ended>,
    answered: AtomicBool,
    panicked: AtomicBool,
    nested: bool,
    key: OnceLock<u128>,
}

impl Entry {
    pub(crate) fn new(operation: &'static Operation, nested: bool) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        operation.record_started();
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            operation,
            started: Instant::now(),
            since: SystemTime::now(),
            attempt: AtomicU32::new(0),
            stage: AtomicU8::new(0),
            ended: Mutex::default(),
            answered: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            nested,
            key: OnceLock::new(),
        })
    }

    /// A number of this call alone, made when it is first asked for.
    pub(crate) fn key(&self) -> u128 {
        *self.key.get_or_init(|| fastrand::u128(..))
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.attempt.load(Ordering::Relaxed)
    }

    pub(crate) fn next_attempt(&self) {
        self.attempt.fetch_add(1, Ordering::Relaxed);
        let mut ended = self.ending();
        if let Some(latest) = ended.outcome.take() {
            ended.before = Some(ended.before.map_or(latest, |before| latest.beside(before)));
        }
    }

    pub(crate) fn reached(&self, stage: SessionStage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// What became of the work of the latest attempt.
    pub(crate) fn ended(&self, outcome: Option<Outcome>) {
        self.ending().outcome = outcome;
    }

    /// The call has an answer for its caller. A call that is dropped before has none: it was cancelled.
    pub(crate) fn answered(&self, category: Option<Category>) {
        self.answered.store(true, Ordering::Relaxed);
        self.ending().category = category;
    }

    pub(crate) fn panicked(&self) {
        self.answered.store(true, Ordering::Relaxed);
        self.panicked.store(true, Ordering::Relaxed);
    }

    fn ending(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn info(&self) -> SessionInfo {
        SessionInfo {
            id: self.id,
            operation: self.operation.name(),
            attempt: self.attempt(),
            stage: match self.stage.load(Ordering::Relaxed) {
                0 => SessionStage::Waiting,
                1 => SessionStage::Open,
                2 => SessionStage::Ending,
                _ => SessionStage::Hooks,
            },
            since: self.since,
            age: self.started.elapsed(),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Ended {
            outcome,
            before,
            category,
        } = *self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let duration = self.started.elapsed();
        let cancelled = !*self.answered.get_mut();
        let panicked = *self.panicked.get_mut();
        let attempts = *self.attempt.get_mut();
        let outcome = match outcome.unwrap_or(Outcome::NotSent) {
            Outcome::Committed => Outcome::Committed,
            outcome => before.map_or(outcome, |before| outcome.beside(before)),
        };
        self.operation.record_ended(
            outcome,
            self.nested,
            category,
            cancelled,
            panicked,
            duration,
        );
        tracing::debug!(
            target: "steadfast::record",
            operation = self.operation.name(),
            id = self.id,
            started = ?self.since,
            ended = ?self.since.checked_add(duration).unwrap_or(self.since),
            attempts,
            outcome = outcome.as_str(),
            category = category.map(Category::as_str),
            nested = self.nested,
            cancelled,
            panicked,
            "a call has ended"
        );
    }
}

/// The sessions of one pool.
#[derive(Default)]
pub(crate) struct Registry {
    /// By a number of the listing: a hook of an earlier attempt may be running still.
    sessions: Mutex<HashMap<u64, Arc<Entry>>>,
    emptied: Notify,
}

impl Registry {
    /// Lists a session until the listing is dropped.
    pub(crate) fn list(self: &Arc<Self>, entry: &Arc<Entry>) -> Listing {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(entry));
        Listing {
            registry: Arc::clone(self),
            number,
        }
    }

    pub(crate) fn sessions(&self) -> Vec<SessionInfo> {
        let mut sessions: Vec<_> = self.lock().values().map(|entry| entry.info()).collect();
        sessions.sort_by_key(|session| session.id);
        sessions
    }

    /// Waits until no session is listed.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            let mut emptied = std::pin::pin!(emptied);
            // Registered before the look, so that no departure in between is missed.
            emptied.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the registry.
pub(crate) struct Listing {
    registry: Arc<Registry>,
    number: u64,
}

impl Drop for Listing {
    fn drop(&mut self) {
        let mut sessions = self.registry.lock();
        let entry = sessions.remove(&self.number);
        let is_empty = sessions.is_empty();
        drop(sessions);
        // The entry may be the last of its call: its record is written outside of the lock.
        drop(entry);
        if is_empty {
            self.registry.emptied.notify_waiters();
        }
    }
}
