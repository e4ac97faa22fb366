//! A session's machine together with the pool that its connection comes from; what every door holds.

mod opening;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::SessionPool;
use super::acquire::expect_runtime;
use super::loan::Loan;
use super::registry::{Entry, Listing, SessionStage};
use super::settings::{AFTER_DEADLINE, LOCK_TIMEOUT, LONGEST};
use crate::backend::{Access, Backend, Begin};
use crate::error::{Category, Error, Outcome, Phase};
use crate::shield::{Committed, Machine, State};

/// Holds a session from its first statement to its end. Dropped before the end, it hands everything to the
/// reaper on the runtime of the connection.
pub(crate) struct Custody<DB: Backend> {
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
            machine: Machine::new(begin.access != Access::Autocommit, settings.acquire_timeout),
            pool,
            entry,
            begin,
            queues: begin.access == Access::Write,
            deadline,
            whole: deadline,
            runtime: None,
            listing: None,
            reaped: false,
        }
    }

    /// The custody of a connection that is lent by hand. It waits for the writer's turn only where it `queues`.
    pub(crate) fn by_hand(pool: SessionPool<DB>, entry: Arc<Entry>, queues: bool) -> Self {
        let begin = Begin {
            access: Access::Autocommit,
            ..Begin::default()
        };
        let patience = pool.settings().acquire_timeout;
        let mut custody = Self::new(pool, entry, begin, None);
        custody.machine = Machine::by_hand(patience);
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
        let mut next = Self::new(self.pool.clone(), Arc::clone(&self.entry), self.begin, None);
        next.queues = true;
        next
    }

    pub(crate) fn machine(&mut self) -> &mut Machine<DB, Loan<DB>> {
        &mut self.machine
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        self.machine.life.in_transaction()
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

    /// How long it waits where the waiting is ours.
    fn lock_timeout(&self) -> Duration {
        self.begin
            .lock_timeout
            .map_or(LOCK_TIMEOUT, |limit| limit.min(LONGEST))
    }

    fn no_later(&self, instant: Instant) -> Instant {
        self.deadline
            .map_or(instant, |deadline| deadline.min(instant))
    }

    /// Commits what can be committed. When this answers, the slot is free and the session is not listed
    /// any more, unless the COMMIT is still unanswered.
    pub(crate) async fn commit(&mut self) -> Result<Outcome, Error> {
        if let Some(outcome) = self.machine.life.outcome() {
            return Ok(outcome);
        }
        if self.machine.holds_connection() {
            // Nothing is sent: dropped, the session is rolled back on the runtime of its connection.
            expect_runtime(Phase::Commit)?;
        }
        self.entry.reached(SessionStage::Ending);
        // What settling meets dooms the session.
        let in_time = self.settle_in_time().await;
        if let Some(first) = self.machine.life.session_doom() {
            let error = Error::doomed(first, Phase::Commit);
            return Err(self.refuse(error).await);
        }
        if self.machine.life.depth() > 0 {
            let error = Error::new(
                Category::Programming,
                Phase::Commit,
                "a nested call of this session never ended",
            )
            .with_help("neither leak the future of a nested call nor move its session away");
            return Err(self.refuse(error).await);
        }
        if self.state() == State::Unopened || self.machine.life.is_rollback_only() {
            return Ok(self.roll_back_in_time().await);
        }
        if !self.machine.life.in_transaction() {
            return match self.end_answered().await {
                Outcome::Unknown => Err(left_open()),
                outcome => Ok(outcome),
            };
        }
        let now = Instant::now();
        if !in_time || self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(self.refuse(timed_out(Phase::Commit)).await);
        }
        let patience = self.pool.settings().commit_timeout;
        let busy_until = self.no_later(now + self.lock_timeout());
        let limit = self
            .deadline
            .map_or(now + patience, |deadline| deadline + AFTER_DEADLINE);
        match self.machine.commit(busy_until, patience, limit).await {
            Committed::Done => Ok(self.finish()),
            Committed::Failed {
                source,
                outcome,
                gone,
            } => {
                self.finish();
                Err(self.overdue(commit_failed(source, outcome, gone)))
            }
            Committed::Unanswered => {
                self.entry.ended(Some(Outcome::Unknown));
                Err(Error::new(
                    Category::CommitUnknown,
                    Phase::Commit,
                    "the server has not answered COMMIT in time",
                )
                .with_outcome(Outcome::Unknown))
            }
        }
    }

    /// Ends a session in autocommit whose statements were all answered. `Unknown` where one of them has left a
    /// transaction open, which is rolled back.
    pub(crate) async fn end_answered(&mut self) -> Outcome {
        if self.machine.may_be_open() {
            self.machine.prove_autocommit().await;
        } else {
            self.machine.end_autocommit();
        }
        self.finish()
    }

    async fn refuse(&mut self, error: Error) -> Error {
        let outcome = self.roll_back_in_time().await;
        error.with_outcome(outcome)
    }

    /// The same as [`roll_back`](Self::roll_back) for a caller with a deadline: it waits for the proof a moment longer,
    /// and then the reaper goes on alone.
    pub(crate) async fn roll_back_in_time(&mut self) -> Outcome {
        let Some(deadline) = self.deadline else {
            return self.roll_back().await;
        };
        let until = deadline.max(Instant::now()) + AFTER_DEADLINE;
        timeout_at(until, self.roll_back())
            .await
            .unwrap_or(Outcome::NotSent)
    }

    /// Ends the session without its work. Where there is no runtime that is left to the reaper.
    pub(crate) async fn roll_back(&mut self) -> Outcome {
        if self.machine.holds_connection() && Handle::try_current().is_err() {
            return self.machine.life.outcome().unwrap_or(Outcome::NotSent);
        }
        self.entry.reached(SessionStage::Ending);
        self.machine.roll_back().await;
        self.finish()
    }

    /// The connection that is lent by hand.
    pub(crate) fn lent(&self) -> Option<&DB::Connection> {
        self.machine.lent_connection()
    }

    /// Takes back what was lent by hand. `RolledBack` where a transaction was open on it.
    pub(crate) async fn take_back(&mut self) -> Result<Outcome, Error> {
        // Nothing is sent: dropped, it is tidied on the runtime of its connection.
        expect_runtime(Phase::Rollback)?;
        self.entry.reached(SessionStage::Ending);
        // In flight there is nothing most often, and then a rollback need not come with a cancel.
        let _ = self.machine.settle().await;
        self.machine.roll_back().await;
        Ok(self.finish())
    }

    /// Gives the connection back and leaves the registry.
    fn finish(&mut self) -> Outcome {
        let outcome = self.machine.life.outcome().unwrap_or(Outcome::NotSent);
        self.entry.ended(Some(outcome));
        drop(self.machine.take_back());
        self.listing = None;
        outcome
    }

    async fn reap(mut self) {
        self.entry.reached(SessionStage::Ending);
        self.machine.roll_back().await;
        self.finish();
    }
}

impl<DB: Backend> Drop for Custody<DB> {
    fn drop(&mut self) {
        if !self.machine.holds_connection() {
            return;
        }
        if self.reaped {
            // Its runtime has shut down, and the connection goes with it.
            self.machine.life.lost();
            self.entry.ended(self.machine.life.outcome());
            return;
        }
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let remains = Self {
            pool: self.pool.clone(),
            entry: Arc::clone(&self.entry),
            machine: self.machine.take(),
            begin: self.begin,
            queues: self.queues,
            deadline: None,
            whole: None,
            runtime: None,
            listing: self.listing.take(),
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

fn left_open() -> Error {
    Error::new(
        Category::Programming,
        Phase::Commit,
        "the statement left a transaction open or `autocommit` off, and what it had not committed was rolled back",
    )
    .with_help("call such a procedure inside a session, or have it commit")
    .with_outcome(Outcome::Unknown)
}

pub(crate) fn transaction_ended(phase: Phase) -> Error {
    Error::new(
        Category::Programming,
        phase,
        "something in the session ended its transaction, and part of the work may be committed",
    )
    .with_help("look for a procedure, or for code on a lent connection, that commits")
}

fn commit_failed(source: sqlx::Error, outcome: Outcome, gone: bool) -> Error {
    if gone {
        return transaction_ended(Phase::Commit)
            .with_source(source)
            .with_outcome(outcome);
    }
    let error = Error::from_driver(source, Phase::Commit).with_outcome(outcome);
    if outcome == Outcome::Unknown {
        error.with_category(Category::CommitUnknown)
    } else {
        error
    }
}
