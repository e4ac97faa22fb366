//! A session's machine together with the pool that its connection comes from; what every door holds.

mod ending;
mod opening;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::SessionPool;
use super::critical::CriticalEvent;
use super::hooks::{Hook, Hooks};
use super::loan::Loan;
use super::registry::{Entry, Listing};
use super::settings::{LOCK_TIMEOUT, LONGEST};
use crate::backend::{Access, Backend, Begin, Owner};
use crate::error::{Category, Classify, Error, Outcome, Phase, Summary};
use crate::ledger::Token;
use crate::shield::{Busy, Machine, State};

static SERIALS: AtomicU64 = AtomicU64::new(0);

/// Holds a session from its first statement to its end. Dropped before the end, it hands everything to the
/// reaper on the runtime of the connection.
pub(crate) struct Custody<DB: Backend> {
    /// Which one this is among all of the process.
    serial: u64,
    pool: SessionPool<DB>,
    entry: Arc<Entry>,
    machine: Machine<DB, Loan<DB>>,
    begin: Begin,
    /// It waits for its turn among the writers of its database, where that has one at a time.
    queues: bool,
    /// The earliest deadline of the calls that run now.
    deadline: Option<Instant>,
    /// The session's own, which holds for all of its statements.
    whole: Option<Instant>,
    runtime: Option<Handle>,
    listing: Option<Listing>,
    hooks: Hooks,
    /// What the ledger shall know the commit by.
    token: Option<Token>,
    /// What became of the work, as well as it will ever be known.
    learned: Option<Outcome>,
    /// When the caller is answered at the latest, whatever its session waits for still.
    answer_by: Option<Instant>,
    /// The body has ended well, and its work is meant to stay.
    kept: bool,
    /// This is the reaper's: when it is dropped there is nobody left to hand anything to.
    reaped: bool,
}

impl<DB: Backend> Custody<DB> {
    pub(crate) fn new(
        pool: SessionPool<DB>,
        entry: Arc<Entry>,
        begin: Begin,
        deadline: Option<Instant>,
    ) -> Self {
        let settings = pool.settings();
        Self {
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            machine: Machine::new(begin.access != Access::Autocommit, settings.acquire_timeout),
            pool,
            entry,
            begin,
            queues: begin.access == Access::Write,
            deadline,
            whole: deadline,
            runtime: None,
            listing: None,
            hooks: Hooks::default(),
            token: None,
            learned: None,
            answer_by: None,
            kept: false,
            reaped: false,
        }
    }

    /// The custody of a connection that is leased. It waits for the writer's turn only where it `queues`.
    pub(crate) fn leased(pool: SessionPool<DB>, entry: Arc<Entry>, queues: bool) -> Self {
        let begin = Begin {
            access: Access::Autocommit,
            ..Begin::default()
        };
        let patience = pool.settings().acquire_timeout;
        let mut custody = Self::new(pool, entry, begin, None);
        custody.machine = Machine::leased(patience);
        custody.queues = queues;
        custody
    }

    /// A session in the place of this one, in autocommit, that was refused because somebody else writes: it gives its
    /// connection back and queues.
    pub(crate) async fn requeued(mut self) -> Self {
        if self.queues {
            return self;
        }
        self.end_answered().await;
        Self::new(self.pool.clone(), Arc::clone(&self.entry), self.begin, None).queued()
    }

    /// The same session, which takes its turn among the writers before it takes a connection.
    pub(crate) fn queued(mut self) -> Self {
        self.queues = true;
        self
    }

    pub(crate) fn machine(&mut self) -> &mut Machine<DB, Loan<DB>> {
        &mut self.machine
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        self.machine.life.in_transaction()
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    fn state(&self) -> State {
        self.machine.life.state()
    }

    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    pub(crate) fn begin(&self) -> Begin {
        self.begin
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sets the deadline that holds from here on, and gives the former.
    pub(crate) fn replace_deadline(&mut self, deadline: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut self.deadline, deadline)
    }

    /// The commit notes a token in the ledger.
    pub(crate) fn note_commit(&mut self) {
        self.token = Some(Token::fresh());
        self.pool.shared.verifies.store(true, Ordering::Relaxed);
    }

    /// A hook of the level that the running body is in.
    pub(crate) fn hook(&mut self, hook: Hook) {
        self.hooks.add(self.machine.life.depth(), hook);
    }

    /// Leaves the innermost level; its hooks go the way of its work.
    pub(crate) fn leave_well(&mut self) -> Result<(), Summary> {
        let kept = self.machine.life.leave_well();
        let depth = self.machine.life.depth();
        match kept {
            Ok(()) => self.hooks.keep(depth),
            Err(_) => self.hooks.forget(&self.entry, depth),
        }
        kept
    }

    pub(crate) fn leave_badly(&mut self) {
        self.machine.life.leave_badly();
        self.hooks.forget(&self.entry, self.machine.life.depth());
    }

    /// Shows the session among those of its pool until it has ended.
    fn list(&mut self) {
        if self.listing.is_none() {
            self.listing = Some(self.pool.shared.registry.list(&self.entry));
        }
    }

    /// Ends what is in flight; what it meets dooms the level it belongs to. Without a runtime it stays in flight,
    /// and COMMIT is proven then.
    pub(crate) async fn settle(&mut self) {
        if Handle::try_current().is_ok() {
            let _ = self.machine.settle().await;
        }
    }

    /// The same, no longer than the deadline. `false` where it passed: what was left is in flight still.
    pub(crate) async fn settle_in_time(&mut self) -> bool {
        let Some(deadline) = self.deadline else {
            self.settle().await;
            return true;
        };
        timeout_at(deadline, self.settle()).await.is_ok()
    }

    /// Where the call's own deadline cut the wait short, that is what went wrong.
    fn overdue(&self, error: Error) -> Error {
        let passed = self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        if passed && error.category().is_transient() {
            let (phase, outcome) = (error.phase(), error.outcome());
            timed_out(phase).with_outcome(outcome).with_source(error)
        } else {
            error
        }
    }

    fn owner(&self) -> Option<Owner> {
        self.pool.settings().application_name.then(|| Owner {
            operation: self.entry.operation.name(),
            id: self.entry.id,
        })
    }

    /// Tells whoever watches the pool, where this is something to look at.
    pub(crate) fn watch(&self, error: &(impl Classify + ?Sized)) {
        let (operation, id) = (self.entry.operation.name(), self.entry.id);
        let event = if error.category() == Some(Category::Resource) {
            CriticalEvent::Resource { operation, id }
        } else if error.outcome() == Some(Outcome::Unknown) {
            CriticalEvent::CommitUnknown { operation, id }
        } else {
            return;
        };
        self.pool.shared.watcher.tell(event);
    }

    /// How long it waits where the waiting is ours.
    fn lock_timeout(&self) -> Duration {
        self.begin
            .lock_timeout
            .map_or(LOCK_TIMEOUT, |limit| limit.min(LONGEST))
    }

    /// The pauses of a statement that somebody else's lock refuses.
    pub(crate) fn busy(&self) -> Busy {
        Busy::until(self.no_later(Instant::now() + self.lock_timeout()))
    }

    fn no_later(&self, instant: Instant) -> Instant {
        self.deadline
            .map_or(instant, |deadline| deadline.min(instant))
    }
}

impl<DB: Backend> Drop for Custody<DB> {
    fn drop(&mut self) {
        let is_over = self.hooks.is_empty() && !self.must_ask();
        if is_over && !self.machine.holds_connection() {
            return;
        }
        let runtime = self.runtime.take().or_else(|| Handle::try_current().ok());
        let Some(runtime) = runtime.filter(|_| !self.reaped) else {
            // There is no runtime, or it has shut down, and the connection goes with it.
            self.machine.life.lost();
            let outcome = self.learned.or(self.machine.life.outcome());
            if self.learned.is_none() {
                self.entry.ended(outcome);
            }
            self.hooks
                .decide(outcome.unwrap_or(Outcome::NotSent), self.kept);
            self.hooks.run_without_runtime(&self.entry);
            return;
        };
        // From here on, and not from the reaper's first poll.
        self.list();
        let remains = Self {
            serial: self.serial,
            pool: self.pool.clone(),
            entry: Arc::clone(&self.entry),
            machine: self.machine.take(),
            begin: self.begin,
            queues: self.queues,
            deadline: None,
            whole: None,
            runtime: None,
            listing: self.listing.take(),
            hooks: std::mem::take(&mut self.hooks),
            token: self.token.take(),
            learned: self.learned,
            answer_by: None,
            kept: self.kept,
            reaped: true,
        };
        let shared = Arc::clone(&self.pool.shared);
        shared.tally.reaper_starts();
        // On a runtime that has shut down the future is dropped at once: the connection is closed then.
        let done = Reaped(shared);
        drop(runtime.spawn(async move {
            let _done = done;
            remains.reap().await;
        }));
    }
}

/// Counts a reaper out, however it ends.
struct Reaped<DB: Backend>(Arc<super::Shared<DB>>);

impl<DB: Backend> Drop for Reaped<DB> {
    fn drop(&mut self) {
        self.0.tally.reaper_ends();
    }
}

pub(crate) fn timed_out(phase: Phase) -> Error {
    Error::new(Category::Timeout, phase, "the call's deadline passed")
        .with_help("do less in one call, or raise its `timeout`")
}
