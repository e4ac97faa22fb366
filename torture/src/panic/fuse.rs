//! Where in a call the panic comes, and who waits for its slot meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast::{Backend, SessionPool, SessionStage};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::PATIENCE;
use super::blow::{Blow, Kind};

/// What a call comes to, and which of its rows are there then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    pub(super) answer: Answer,
    pub(super) rows: &'static [i64],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The very panic.
    Panic,
    Value,
    Error,
    /// A value if all of the rows are there; whatever else if none is.
    True,
}

impl Promise {
    pub(super) const NOTHING: Self = Self::panic(&[]);

    pub(super) const fn panic(rows: &'static [i64]) -> Self {
        let answer = Answer::Panic;
        Self { answer, rows }
    }

    pub(super) const fn value(rows: &'static [i64]) -> Self {
        let answer = Answer::Value;
        Self { answer, rows }
    }

    pub(super) const ERROR: Self = Self {
        answer: Answer::Error,
        rows: &[],
    };

    pub(super) const fn truth(rows: &'static [i64]) -> Self {
        let answer = Answer::True;
        Self { answer, rows }
    }
}

/// Burns through a call's boundaries, and blows at one of them. A clone is the same fuse.
#[derive(Clone)]
pub(super) struct Fuse(Arc<Inner>);

struct Inner {
    at: usize,
    kind: Kind,
    blow: Blow,
    burnt: Mutex<Burnt>,
    /// One permit lets the waiter go.
    go: Semaphore,
    waits: Box<dyn Fn() -> bool + Send + Sync>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Burnt {
    passed: usize,
    /// What the boundary promised at which it blew.
    pub(super) blown: Option<Promise>,
    /// Somebody was seen to wait for the call's slot.
    pub(super) waited: bool,
    /// Hooks that ran behind those that blew.
    pub(super) heard: usize,
    /// Boundaries of what makes connections ready.
    pub(super) readied: usize,
}

impl Fuse {
    /// Blows at boundary `at` of a call on `pool`, counted from 0.
    pub(super) fn new<DB: Backend>(
        at: usize,
        kind: Kind,
        blow: Blow,
        pool: &SessionPool<DB>,
    ) -> Self {
        let pool = pool.clone();
        let waits = move || {
            let sessions = pool.sessions();
            pool.stats().in_use > 0
                && sessions
                    .iter()
                    .any(|session| session.stage == SessionStage::Waiting)
        };
        Self(Arc::new(Inner {
            at,
            kind,
            blow,
            burnt: Mutex::default(),
            go: Semaphore::new(0),
            waits: Box::new(waits),
        }))
    }

    /// A boundary: the panic comes here, or not.
    pub(super) fn pass(&self, promise: Promise) {
        let blows = {
            let mut burnt = self.burning();
            burnt.passed += 1;
            let blows = burnt.passed == self.0.at + 1;
            if blows {
                burnt.blown = Some(promise);
            }
            blows
        };
        if blows {
            self.0.blow.throw(self.0.kind);
        }
    }

    /// The call holds the slot: waits until somebody else waits for it.
    pub(super) async fn held(&self) {
        if self.burnt().waited {
            return;
        }
        self.light();
        let waited = timeout(PATIENCE, async {
            while !(self.0.waits)() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let waited = waited.await.is_ok();
        self.burning().waited |= waited;
    }

    /// Lets the waiter go.
    pub(super) fn light(&self) {
        self.0.go.add_permits(1);
    }

    /// The waiter's turn.
    pub(super) async fn lit(&self) {
        if let Ok(permit) = self.0.go.acquire().await {
            permit.forget();
        }
    }

    /// Once the call holds the slot, and somebody was seen to wait for it.
    pub(super) async fn seen(&self) {
        while !self.burnt().waited {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) fn hear(&self) {
        self.burning().heard += 1;
    }

    /// A boundary of what makes a connection ready.
    pub(super) fn readies(&self) {
        self.burning().readied += 1;
    }

    pub(super) fn burnt(&self) -> Burnt {
        *self.burning()
    }

    fn burning(&self) -> MutexGuard<'_, Burnt> {
        self.0.burnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fuse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fuse({})", self.0.at)
    }
}

/// What panics when it is dropped.
#[derive(Debug)]
pub(super) struct Sore(pub(super) Fuse, pub(super) Promise);

impl Drop for Sore {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.pass(self.1);
        }
    }
}

/// What panics when it is cloned.
#[derive(Debug)]
pub(super) struct Brittle(pub(super) Fuse);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        self.0.pass(Promise::NOTHING);
        Self(self.0.clone())
    }
}
