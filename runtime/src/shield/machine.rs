//! The one machine behind every door: a session's life, and the place where its connection is.

mod loans;

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::Span;

use super::lending;
use super::life::{Leftover, Life};
use super::observe::{self, Observer};
use super::owned::{Control, Owned, drive};
use super::scanner::hides;
use super::wire::{Carrier, Wire};
use crate::backend::{Begin, Driver, Statement};
use crate::error::{AtCommit, Ends, Outcome, Summary, verdict};
use crate::ledger::Trouble;

/// How long a control statement that a rollback must wait for may still take.
const CONTROL_IN_THE_WAY: Duration = Duration::from_millis(500);

/// Where the connection is.
enum Place<L> {
    Nowhere,
    Here(L),
    /// Inside a control future, which owns it.
    Away(Owned<L>),
}

/// A session's life and its connection. Every transition of [`Life`] that needs the wire happens here, and
/// happens whoever polls: the owner, an outer session, or the reaper.
pub(crate) struct Machine<DB: Driver, L> {
    pub(crate) life: Life,
    place: Place<L>,
    /// What sqlx counted on the connection when it was lent.
    lent: Option<usize>,
    /// Somebody has done what nobody watched.
    was_lent: bool,
    /// A token for the ledger goes ahead of COMMIT.
    is_noted: bool,
    /// How long a control statement may take, COMMIT excepted.
    patience: Duration,
    database: std::marker::PhantomData<fn() -> DB>,
}

/// What came of a COMMIT.
#[derive(Debug)]
pub(crate) enum Committed {
    Done,
    /// The database's own error, and what became of the work.
    Failed {
        source: sqlx::Error,
        outcome: Outcome,
        gone: bool,
    },
    /// The caller's limit passed before the answer came; the COMMIT goes on.
    Unanswered,
}

impl<DB: Driver, L: Carrier<DB>> Machine<DB, L> {
    pub(crate) fn new(in_transaction: bool, patience: Duration) -> Self {
        Self {
            life: Life::new(in_transaction, DB::DROP_DOOMS_SESSION),
            place: Place::Nowhere,
            lent: None,
            was_lent: false,
            is_noted: false,
            patience,
            database: std::marker::PhantomData,
        }
    }

    /// One whose connection is lent by hand, for the whole of its life.
    pub(crate) fn by_hand(patience: Duration) -> Self {
        let mut machine = Self::new(false, patience);
        machine.life.leave_to_borrower();
        machine
    }

    /// Moves everything out, leaving a machine that has nothing to end.
    pub(crate) fn take(&mut self) -> Self {
        let in_transaction = self.life.in_transaction();
        std::mem::replace(self, Self::new(in_transaction, self.patience))
    }

    pub(crate) fn holds_connection(&self) -> bool {
        !matches!(self.place, Place::Nowhere)
    }

    pub(crate) fn lend(&mut self, carrier: L) {
        self.place = Place::Here(carrier);
    }

    /// Takes the carrier back. Its wire is closed if it is not proven.
    pub(crate) fn take_back(&mut self) -> Option<L> {
        match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Here(carrier) => Some(carrier),
            other => {
                self.place = other;
                None
            }
        }
    }

    /// What carries the connection, where it is at hand.
    pub(crate) fn carrier(&self) -> Option<&L> {
        match &self.place {
            Place::Here(carrier) => Some(carrier),
            _ => None,
        }
    }

    pub(crate) fn carrier_mut(&mut self) -> Option<&mut L> {
        match &mut self.place {
            Place::Here(carrier) => Some(carrier),
            _ => None,
        }
    }

    /// The connection, and what must watch a statement on it.
    pub(crate) fn statement(&mut self) -> (&mut DB::Connection, Observer<'_, DB>) {
        self.watched(Span::none())
    }

    fn watched(&mut self, span: Span) -> (&mut DB::Connection, Observer<'_, DB>) {
        let Place::Here(carrier) = &mut self.place else {
            unreachable!("an active session has its connection at hand")
        };
        let Wire {
            connection, tag, ..
        } = carrier.wire();
        (connection, Observer::new(&mut self.life, tag, span))
    }

    /// The same for a statement whose text is known.
    pub(crate) fn sending(
        &mut self,
        statement: &Statement<DB>,
    ) -> (&mut DB::Connection, Observer<'_, DB>) {
        if hides(DB::DIALECT, statement.text())
            && let Some(wire) = self.wire()
        {
            DB::runs_hidden(&mut wire.tag);
            self.life.statement_hides();
        }
        self.watched(observe::span::<DB>(statement.text()))
    }

    /// The wire, which nobody else uses now.
    pub(crate) fn wire(&mut self) -> Option<&mut Wire<DB>> {
        match &mut self.place {
            Place::Here(carrier) => Some(carrier.wire()),
            _ => None,
        }
    }

    fn send(&mut self, control: impl FnOnce(L) -> Owned<L>) {
        let Place::Here(carrier) = std::mem::replace(&mut self.place, Place::Nowhere) else {
            unreachable!("a control statement is sent on a connection at hand")
        };
        self.place = Place::Away(control(carrier));
    }

    /// Polls the control future on its way and applies its answer to the life.
    fn poll_control(&mut self, context: &mut Context<'_>) -> Poll<Result<(), sqlx::Error>> {
        let Place::Away(owned) = &mut self.place else {
            return Poll::Ready(Ok(()));
        };
        let control = owned.control;
        let answer = ready!(owned.poll(context));
        let closed = answer.carrier.is_none();
        self.place = answer.carrier.map_or(Place::Nowhere, Place::Here);
        let result = answer.result;
        match (control, &result) {
            (Control::Open, Ok(_)) => self.life.opened(),
            (Control::Open, Err(error)) if DB::is_busy(error) => self.life.open_refused(),
            (Control::Open, Err(error)) if closed || verdict(error).ends == Ends::Connection => {
                // Nothing was begun: the session may open on another connection.
                self.life.open_refused();
                self.place = Place::Nowhere;
            }
            (Control::Open, Err(error)) => self.life.open_failed(Summary::of(error)),
            (Control::Mark, Ok(_)) => self.life.marked(),
            (Control::Mark, Err(error)) => {
                if DB::transaction_gone(error) {
                    self.life.fated(Outcome::Unknown);
                }
                self.life.mark_failed(Summary::of(error));
            }
            (Control::Recover, Ok(leftover)) => {
                let leftover = leftover
                    .as_ref()
                    .map(|error| (verdict(error).ends, Summary::of(error)));
                self.life.recovered(leftover);
                self.take_back_connection();
            }
            (Control::Recover, Err(error)) => {
                self.life
                    .recovered(Some((Ends::Connection, Summary::of(error))));
            }
            (Control::Commit, Ok(_)) => self.life.done(Outcome::Committed),
            (Control::Commit, Err(error)) => {
                // What somebody has committed behind our back the ledger cannot know.
                self.is_noted &= !DB::transaction_gone(error);
                let fate = self.fate(error, closed);
                self.life.fated(fate);
            }
            (Control::RollBack, _) => {
                self.see_meddling(answer.meddled);
                self.life.rolled_back(!closed);
                if self.life.has_connection_ended()
                    && let Some(wire) = self.wire()
                {
                    wire.mark_unproven();
                }
            }
        }
        Poll::Ready(result.map(|_| ()))
    }

    /// What became of the work when COMMIT failed.
    fn fate(&mut self, error: &sqlx::Error, closed: bool) -> Outcome {
        if closed || DB::transaction_gone(error) {
            let rolled_back = self
                .wire()
                .is_some_and(|wire| DB::ended_by_itself(&wire.tag));
            return if rolled_back {
                Outcome::RolledBack
            } else {
                Outcome::Unknown
            };
        }
        // The batch ended at the token.
        if self.is_noted && Trouble::of::<DB>(error).is_some() {
            return Outcome::RolledBack;
        }
        match verdict(error).at_commit {
            // Still open: the rollback that follows ends it.
            AtCommit::RolledBack | AtCommit::StillOpen => Outcome::RolledBack,
            AtCommit::Unknown => Outcome::Unknown,
        }
    }

    async fn control(&mut self) -> Result<(), sqlx::Error> {
        drive(|context| self.poll_control(context)).await
    }

    /// Sends BEGIN. Where it is refused because another process holds the lock, the life is `Unopened`
    /// again and the error says so.
    pub(crate) async fn open(
        &mut self,
        begin: Begin,
        lent: bool,
        until: Instant,
    ) -> Result<(), sqlx::Error> {
        let lent = lent && self.life.in_transaction();
        self.life.opening();
        if lent && DB::LENDS_IN_SAVEPOINT {
            self.life.lending(0);
        }
        let inspects = self.life.is_by_hand();
        self.send(|carrier| Owned::open(carrier, begin, lent, inspects, until));
        self.control().await
    }

    /// Ends what is in flight, so that the wire is quiet: a control statement is read to its end, a dropped
    /// user statement is stopped and drained, unless nothing but a rollback can follow it anyway.
    pub(crate) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.control().await?;
        self.life.notice_drop();
        let leftover = self.life.leftover();
        if leftover != Leftover::Nothing && self.life.doom().is_none() {
            self.life.recovering();
            let patience = self.patience;
            self.send(|carrier| Owned::recover(carrier, leftover, patience));
            self.control().await?;
        }
        Ok(())
    }

    /// Sends what must go out ahead of a user statement, or ahead of what is `lent`.
    pub(crate) async fn mark(&mut self, lent: bool) -> Result<(), sqlx::Error> {
        let patience = self.patience;
        let is_counted = self
            .wire()
            .is_some_and(|wire| lending::depth::<DB>(&wire.connection) > 0);
        if lent && !self.life.in_transaction() {
            if is_counted {
                self.life.marking();
                self.send(|carrier| Owned::uncount(carrier, patience));
            }
            return self.control().await;
        }
        let in_savepoint = self.life.lends() || !DB::LENDS_IN_SAVEPOINT;
        let marks_lent = lent && !(is_counted && in_savepoint);
        let Some(batch) = self.life.prelude(marks_lent) else {
            return Ok(());
        };
        self.life.marking();
        if marks_lent && DB::LENDS_IN_SAVEPOINT {
            self.life.lending(self.life.depth());
        }
        self.send(|carrier| Owned::mark(carrier, batch, lent, patience));
        self.control().await
    }

    /// Sends COMMIT, behind a `note` where it is to be found again, and waits until `limit` for its answer; the COMMIT itself is given up after `patience`.
    /// A refused one is followed by a rollback that proves the connection.
    pub(crate) async fn commit(
        &mut self,
        note: Option<String>,
        busy_until: Instant,
        patience: Duration,
        limit: Instant,
    ) -> Committed {
        let (ahead, unseen) = self.life.committing();
        let ahead = ahead.unwrap_or_default();
        self.is_noted = note.is_some();
        let note = note.map_or_else(String::new, |note| note + "; ");
        self.send(|carrier| Owned::commit(carrier, ahead, note, unseen, busy_until, patience));
        match timeout_at(limit, self.control()).await {
            Err(_elapsed) => Committed::Unanswered,
            Ok(Ok(())) => Committed::Done,
            Ok(Err(source)) => {
                let gone = DB::transaction_gone(&source);
                self.roll_back().await;
                let outcome = self.life.outcome().unwrap_or(Outcome::Unknown);
                Committed::Failed {
                    source,
                    outcome,
                    gone,
                }
            }
        }
    }

    /// Whether a part of the work may have been committed already, behind our back.
    pub(crate) fn hides(&self) -> bool {
        self.was_lent || self.life.once_undone() == Outcome::Unknown
    }

    /// Whether the ledger can tell what became of a COMMIT.
    pub(crate) fn is_noted(&self) -> bool {
        self.is_noted
    }

    /// Ends a session in autocommit: every statement was answered, so there is nothing to prove.
    pub(crate) fn end_autocommit(&mut self) {
        if let Some(wire) = self.wire() {
            wire.mark_proven();
        }
        self.life.done(Outcome::Committed);
    }

    /// Whether the end of a session in autocommit must be proven.
    pub(crate) fn may_be_open(&mut self) -> bool {
        self.was_lent || self.wire().is_some_and(|wire| DB::may_be_open(&wire.tag))
    }

    /// The same where a statement may have left a transaction open: one that has is rolled back, and what it did
    /// before is not known.
    pub(crate) async fn prove_autocommit(&mut self) {
        self.life.fated(Outcome::Committed);
        self.roll_back().await;
    }

    /// Climbs the ladder to its end. Right in every state: a control statement on its way is read first. COMMIT
    /// bounds itself; any other that does not answer soon is given up, and the connection with it.
    pub(crate) async fn roll_back(&mut self) {
        if let Place::Away(owned) = &self.place
            && !matches!(owned.control, Control::Commit | Control::RollBack)
            && timeout(CONTROL_IN_THE_WAY, self.control()).await.is_err()
        {
            self.place = Place::Nowhere;
        }
        let _ = self.control().await;
        if self.life.outcome().is_some() {
            return;
        }
        self.life.notice_drop();
        let leftover = self.life.leftover();
        if matches!(self.place, Place::Here(_)) {
            self.suspect();
            self.life.rolling_back();
            let scrubs = self.life.is_by_hand();
            self.send(|carrier| Owned::roll_back(carrier, leftover, scrubs));
            let _ = self.control().await;
        } else {
            self.life.lost();
        }
    }
}
