//! The one machine behind every door: a session's life, and the place where its connection is.

mod ending;
mod loans;
mod statements;

pub(crate) use ending::Committed;

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::lending;
use super::life::{Leftover, Life};
use super::owned::{Control, Owned, drive};
use super::recovery::Recovery;
use super::wire::{Carrier, Wire};
use crate::backend::{Begin, Driver};
use crate::error::{Ends, Outcome, Summary, verdict};

/// Where the connection is.
enum Place<L> {
    Nowhere,
    Here(L),
    /// Inside a control future, which owns it.
    Away(Owned<L>),
}

/// What somebody has done whom nobody watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unwatched {
    Nothing,
    /// The connection was lent.
    Something,
    /// The rollback has found that our transaction was ended, or another begun.
    Meddling,
}

/// A session's life and its connection. Every transition of [`Life`] that needs the wire happens here, and
/// happens whoever polls: the owner, an outer session, or the reaper.
pub(crate) struct Machine<DB: Driver, L> {
    pub(crate) life: Life,
    place: Place<L>,
    /// What sqlx counted on the connection when it was lent.
    lent: Option<usize>,
    unwatched: Unwatched,
    /// COMMIT was refused ahead of its proof.
    is_unproven: bool,
    /// A token for the ledger goes ahead of COMMIT.
    is_noted: bool,
    /// How long a control statement may take, COMMIT excepted.
    patience: Duration,
    database: std::marker::PhantomData<fn() -> DB>,
}

impl<DB: Driver, L: Carrier<DB>> Machine<DB, L> {
    pub(crate) fn new(in_transaction: bool, patience: Duration) -> Self {
        Self {
            life: Life::new(in_transaction, DB::DROP_DOOMS_SESSION),
            place: Place::Nowhere,
            lent: None,
            unwatched: Unwatched::Nothing,
            is_unproven: false,
            is_noted: false,
            patience,
            database: std::marker::PhantomData,
        }
    }

    /// One whose connection is leased for the whole of its life.
    pub(crate) fn leased(patience: Duration) -> Self {
        let mut machine = Self::new(false, patience);
        machine.life.lease();
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

    /// Whether what has failed in autocommit may have left a part of its work.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.life.once_undone() == Outcome::Unknown
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
        if let Err(error) = &result
            && verdict(error).loses_step(error)
        {
            self.life.out_of_step();
        }
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
                if verdict(error).ends == Ends::Connection {
                    self.life.lose_connection();
                }
                self.life.mark_failed(Summary::of(error));
            }
            (Control::Recover, Ok(leftover)) => {
                let applied = self.was_applied(leftover.as_ref());
                let was_lent = self.lent.is_some();
                let leftover = leftover.as_ref().map(|error| {
                    let ends = match verdict(error).ends {
                        // It may have been the rollback's of a part.
                        Ends::Nothing if was_lent => Ends::Level,
                        ends => ends,
                    };
                    (ends, Summary::of(error))
                });
                self.life.recovered(leftover, applied);
                match self.wire().and_then(|wire| DB::is_ours(&wire.tag)) {
                    Some(true) => self.life.proven_ours(),
                    Some(false) => self.life.transaction_ended(),
                    None => {}
                }
                self.take_back_connection();
            }
            (Control::Recover, Err(error)) => {
                self.life.lose_connection();
                self.life
                    .recovered(Some((Ends::Connection, Summary::of(error))), None);
            }
            (Control::Commit, Ok(_)) => self.life.done(Outcome::Committed),
            (Control::Commit, Err(error)) => {
                // What somebody has committed behind our back the ledger cannot know.
                self.is_noted &= !DB::transaction_gone(error);
                // In which transaction that was the rollback will tell.
                self.is_unproven =
                    DB::in_failed_transaction(error) && self.life.witness().is_some();
                if !self.is_unproven {
                    let fate = self.fate(error, closed);
                    self.life.fated(fate);
                }
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
        let inspects = self.life.is_leased();
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
            let recovery = self.recovery(leftover);
            self.send(|carrier| Owned::recover(carrier, recovery, patience));
            self.control().await?;
        }
        Ok(())
    }

    /// What makes the connection quiet again behind such a `leftover`.
    fn recovery(&self, leftover: Leftover) -> Recovery {
        match leftover {
            // Not cancelled: on PostgreSQL that would abort a transaction in which nothing went wrong.
            Leftover::Nothing | Leftover::Unread => Recovery::Read,
            Leftover::Running if self.life.in_transaction() => Recovery::Stop,
            Leftover::Running => Recovery::StopAlone,
            Leftover::Unwatched => Recovery::TakeBack {
                renews: self.life.in_transaction()
                    && if DB::LENDS_IN_SAVEPOINT {
                        self.life.is_lent_innermost()
                    } else {
                        self.life.is_bare()
                    },
            },
        }
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
        let in_savepoint = self.life.lends_here() || !DB::LENDS_IN_SAVEPOINT;
        let marks_lent = lent && !(is_counted && in_savepoint);
        let is_stale = self.wire().is_some_and(|wire| DB::is_stale(&wire.tag));
        let batch = match self.life.prelude(marks_lent) {
            Some(batch) => batch,
            None if is_stale => String::new(),
            None => return Ok(()),
        };
        self.life.marking();
        if marks_lent && DB::LENDS_IN_SAVEPOINT {
            self.life.lending(self.life.depth());
        }
        self.send(|carrier| Owned::mark(carrier, batch, lent, patience));
        self.control().await
    }

    /// Whether a part of the work may have been committed already, behind our back.
    pub(crate) fn hides(&self) -> bool {
        self.unwatched != Unwatched::Nothing || self.life.once_undone() == Outcome::Unknown
    }

    /// Whether somebody is known to have ended our transaction, or to have begun one.
    pub(crate) fn was_meddled_with(&self) -> bool {
        self.unwatched == Unwatched::Meddling
    }

    /// Whether the ledger can tell what became of a COMMIT.
    pub(crate) fn is_noted(&self) -> bool {
        self.is_noted
    }
}
