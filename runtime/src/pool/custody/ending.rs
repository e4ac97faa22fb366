//! The way of a session to its end: commit or rollback, then its slot, then its hooks.

use std::future::poll_fn;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::{Custody, timed_out};
use crate::backend::Backend;
use crate::error::{Category, Error, Outcome, Phase};
use crate::ledger::{Mark, Trouble};
use crate::plant::{Plant, planted};
use crate::pool::acquire::expect_runtime;
use crate::pool::critical::CriticalEvent;
use crate::pool::registry::SessionStage;
use crate::pool::settings::{AFTER_DEADLINE, HOOKS_TIMEOUT, RESOLVE_TIMEOUT};
use crate::shield::{Committed, State};

impl<DB: Backend> Custody<DB> {
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
        if let Some(first) = self.machine.life.session_doom()
            && !(planted(Plant::DoomIgnored) && self.state() == State::Active)
        {
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
        if self.machine.life.is_rollback_only() {
            return Ok(self.roll_back_in_time().await);
        }
        if self.state() == State::Unopened {
            self.kept = true;
            return Ok(self.roll_back_in_time().await);
        }
        if !self.machine.life.in_transaction() {
            self.kept = true;
            return match self.end_answered().await {
                Outcome::Unknown if self.machine.was_meddled_with() => Err(left_open()),
                Outcome::Unknown => Err(self.overdue(lost_unseen(Phase::Commit))),
                outcome => Ok(outcome),
            };
        }
        let now = Instant::now();
        if !in_time || self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(self.refuse(timed_out(Phase::Commit)).await);
        }
        let patience = self.pool.settings().commit_timeout;
        let busy_until = self.no_later(now + self.lock_timeout());
        // Without a deadline the COMMIT is given up first, and the ledger can be asked.
        let limit = self.answer_by().unwrap_or(now + patience + AFTER_DEADLINE);
        self.kept = true;
        let note = self.note();
        match self.machine.commit(note, busy_until, patience, limit).await {
            Committed::Done => Ok(self.finish().await),
            Committed::Failed {
                unproven: true,
                source,
                outcome,
                ..
            } => {
                self.entry.ended(Some(outcome));
                Err(self.overdue(self.commit_failed(source, outcome)))
            }
            Committed::Failed {
                gone: true,
                source,
                outcome,
                ..
            } => {
                self.finish().await;
                Err(transaction_ended(Phase::Commit)
                    .with_source(source)
                    .with_outcome(outcome))
            }
            Committed::Failed { source, .. } => match self.finish().await {
                Outcome::Committed => Ok(Outcome::Committed),
                outcome => Err(self.overdue(self.commit_failed(source, outcome))),
            },
            Committed::Unanswered => {
                self.entry.ended(Some(Outcome::Unknown));
                Err(Error::new(
                    Category::CommitUnknown,
                    Phase::Commit,
                    "the server has not answered COMMIT in time",
                )
                .with_outcome(Outcome::Unknown)
                .with_token(self.token.clone()))
            }
        }
    }

    /// What the commit writes into the ledger.
    fn note(&mut self) -> Option<String> {
        let hides = self.machine.hides();
        let schema = self.machine.wire().and_then(|wire| DB::schema(&wire.tag));
        let token = self.token.as_mut()?;
        token.schema = schema;
        token.hides = hides;
        Some(token.note(DB::DIALECT, Mark::Committed))
    }

    fn commit_failed(&self, source: sqlx::Error, outcome: Outcome) -> Error {
        if self.token.is_some()
            && let Some(trouble) = Trouble::of::<DB>(&source)
        {
            if trouble == Trouble::Unusable {
                self.pool.shared.watcher.tell(CriticalEvent::LedgerMissing {
                    operation: self.entry.operation.name(),
                    id: self.entry.id,
                });
            }
            return trouble.explain(source).with_outcome(outcome);
        }
        let error = Error::from_driver(source, Phase::Commit).with_outcome(outcome);
        if outcome == Outcome::Unknown {
            error
                .with_category(Category::CommitUnknown)
                .with_token(self.token.clone())
        } else if error.category() == Category::CommitUnknown {
            // The ledger knew better.
            error.with_category(Category::Connection)
        } else {
            error
        }
    }

    /// Whether the ledger shall tell what became of a commit of which no answer came.
    pub(super) fn must_ask(&self) -> bool {
        self.learned.is_none()
            && self.machine.life.outcome() == Some(Outcome::Unknown)
            && self.machine.is_noted()
    }

    /// What became of the work. `None` where the owner's time is up: the reaper goes on asking.
    async fn learn(&mut self) -> Option<Outcome> {
        if self.learned.is_some() {
            return self.learned;
        }
        let mut outcome = self.machine.life.outcome().unwrap_or(Outcome::NotSent);
        self.entry.ended(Some(outcome));
        if let Some(token) = self.token.clone().filter(|_| self.must_ask()) {
            let answer_by = self.answer_by();
            let until = answer_by.unwrap_or_else(|| Instant::now() + RESOLVE_TIMEOUT);
            match self.pool.ask_ledger(&token, until).await {
                Some(known) => outcome = known,
                None if answer_by.is_some() => return None,
                None => {}
            }
            self.entry.ended(Some(outcome));
        }
        self.learned = Some(outcome);
        self.learned
    }

    /// When a caller with a deadline is answered: counted from that, or from where its session began to end.
    fn answer_by(&mut self) -> Option<Instant> {
        let deadline = self.deadline?;
        let begun = || deadline.max(Instant::now()) + AFTER_DEADLINE;
        Some(*self.answer_by.get_or_insert_with(begun))
    }

    /// Ends a session in autocommit whose statements were all answered. `Unknown` where one of them has left a
    /// transaction open, which is rolled back.
    pub(crate) async fn end_answered(&mut self) -> Outcome {
        if self.machine.may_be_open() {
            self.machine.prove_autocommit().await;
        } else {
            self.machine.end_autocommit();
        }
        self.finish().await
    }

    async fn refuse(&mut self, error: Error) -> Error {
        let outcome = self.roll_back_in_time().await;
        error.with_outcome(outcome)
    }

    /// The same as [`roll_back`](Self::roll_back) for a caller with a deadline: it waits for the proof a moment longer,
    /// and then the reaper goes on alone.
    pub(crate) async fn roll_back_in_time(&mut self) -> Outcome {
        let Some(until) = self.answer_by() else {
            return self.roll_back().await;
        };
        match timeout_at(until, self.roll_back()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => self.machine.life.outcome_by_now(),
        }
    }

    /// Ends the session without its work. Where there is no runtime that is left to the reaper.
    pub(crate) async fn roll_back(&mut self) -> Outcome {
        if self.machine.holds_connection() && Handle::try_current().is_err() {
            return self.machine.life.outcome_by_now();
        }
        self.entry.reached(SessionStage::Ending);
        self.machine.roll_back().await;
        self.finish().await
    }

    /// Why nobody knows what became of a session that was rolled back.
    pub(crate) fn why_unknown(&self) -> Error {
        if self.machine.was_meddled_with() {
            transaction_ended(Phase::Rollback).with_outcome(Outcome::Unknown)
        } else {
            lost_unseen(Phase::Rollback)
        }
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
        Ok(self.finish().await)
    }

    /// Gives the connection back, asks the ledger where it must be asked, runs the hooks and leaves the registry.
    async fn finish(&mut self) -> Outcome {
        drop(self.machine.take_back());
        let Some(outcome) = self.learn().await else {
            return Outcome::Unknown;
        };
        if !self.hooks.is_empty() {
            self.hooks.decide(outcome, self.kept);
            self.run_hooks().await;
        }
        if self.hooks.is_empty() {
            self.listing = None;
        }
        outcome
    }

    /// The owner waits for hooks no longer than for anything else; what it leaves is the reaper's.
    async fn run_hooks(&mut self) {
        self.list();
        self.entry.reached(SessionStage::Hooks);
        let answer_by = self.answer_by();
        let Self { hooks, entry, .. } = self;
        let run = poll_fn(|context| hooks.poll(entry, context));
        if self.reaped || Handle::try_current().is_err() {
            return run.await;
        }
        let until = answer_by.unwrap_or_else(|| Instant::now() + HOOKS_TIMEOUT);
        if timeout_at(until, run).await.is_err() {
            tracing::warn!(
                target: "steadfast::hooks",
                operation = self.entry.operation.name(),
                id = self.entry.id,
                "a hook takes long; the call answers without it, and it goes on alone"
            );
        }
    }

    pub(super) async fn reap(mut self) {
        if self.machine.life.outcome().is_none() {
            self.entry.reached(SessionStage::Ending);
            self.machine.roll_back().await;
        }
        self.finish().await;
    }
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

fn lost_unseen(phase: Phase) -> Error {
    Error::new(
        Category::Connection,
        phase,
        "the connection was lost before it was certain what had been done on it unseen",
    )
    .with_outcome(Outcome::Unknown)
}

fn transaction_ended(phase: Phase) -> Error {
    Error::new(
        Category::Programming,
        phase,
        "something in the session ended its transaction, and part of the work may be committed",
    )
    .with_help("look for a procedure, or for code on a lent connection, that commits")
}
