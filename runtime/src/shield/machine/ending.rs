//! How a session ends: COMMIT and what is thought of its answer, the rollback, the end without a transaction.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{Machine, Place, Unwatched};
use crate::backend::Driver;
use crate::error::{AtCommit, Outcome, verdict};
use crate::ledger::Trouble;
use crate::plant::{Plant, planted};
use crate::shield::owned::{Control, Owned};
use crate::shield::wire::Carrier;

/// How long a control statement that a rollback must wait for may still take.
const CONTROL_IN_THE_WAY: Duration = Duration::from_millis(500);

/// What came of a COMMIT.
#[derive(Debug)]
pub(crate) enum Committed {
    Done,
    /// The database's own error, and what became of the work.
    Failed {
        source: sqlx::Error,
        outcome: Outcome,
        gone: bool,
        /// The caller's limit passed before the rollback behind it was answered, which goes on.
        unproven: bool,
    },
    /// The caller's limit passed before the answer came; the COMMIT goes on.
    Unanswered,
}

impl<DB: Driver, L: Carrier<DB>> Machine<DB, L> {
    /// Sends COMMIT, behind a `note` where it is to be found again, and waits until `limit` for its answer; the COMMIT
    /// itself is given up after `patience`. A refused one is followed by a rollback that proves the connection, for which
    /// nobody waits beyond `limit` either.
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
                let unproven = timeout_at(limit, self.roll_back()).await.is_err();
                Committed::Failed {
                    source,
                    outcome: self.life.outcome_by_now(),
                    gone,
                    unproven,
                }
            }
        }
    }

    /// What became of the work when COMMIT failed.
    pub(super) fn fate(&mut self, error: &sqlx::Error, closed: bool) -> Outcome {
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

    /// Ends a session in autocommit: every statement was answered, so there is nothing to prove.
    pub(crate) fn end_autocommit(&mut self) {
        if let Some(wire) = self.wire() {
            wire.mark_proven();
        }
        self.life.done(Outcome::Committed);
    }

    /// Whether the end of a session in autocommit must be proven.
    pub(crate) fn may_be_open(&mut self) -> bool {
        self.unwatched != Unwatched::Nothing
            || self.wire().is_some_and(|wire| DB::may_be_open(&wire.tag))
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
        if planted(Plant::BeginNotOwned)
            && matches!(&self.place, Place::Away(owned) if owned.control == Control::Open)
        {
            self.place = Place::Nowhere;
        }
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
            let scrubs = self.life.is_leased();
            self.send(|carrier| Owned::roll_back(carrier, leftover, scrubs));
            let _ = self.control().await;
        } else {
            self.life.lost();
        }
    }
}
