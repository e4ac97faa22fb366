//! The connection in the hands of somebody who knows nothing of the session, and what is thought of it afterwards.

use super::{Machine, Place, Unwatched};
use crate::backend::{Driver, Suspicion};
use crate::error::{Outcome, Summary};
use crate::shield::lending;
use crate::shield::life::State;
use crate::shield::wire::Carrier;

impl<DB: Driver, L: Carrier<DB>> Machine<DB, L> {
    /// The connection for somebody who knows nothing of the session. What is done on it is not seen.
    pub(crate) fn lend_connection(&mut self) -> &mut DB::Connection {
        let Place::Here(carrier) = &mut self.place else {
            unreachable!("an active session has its connection at hand")
        };
        let wire = carrier.wire();
        self.life.lent();
        self.lent = Some(lending::depth::<DB>(&wire.connection));
        self.unwatched = Unwatched::Something;
        DB::lends(&mut wire.tag);
        if DB::LENDS_IN_SAVEPOINT || DB::may_be_open(&wire.tag) {
            if DB::COMMITS_SILENTLY {
                self.life.may_commit_silently();
            } else {
                self.life.may_be_misused();
            }
        }
        &mut wire.connection
    }

    /// The connection, for as long as it is lent.
    pub(crate) fn lent_connection(&self) -> Option<&DB::Connection> {
        self.carrier().map(L::connection)
    }

    /// The connection is quiet again. What was lent is back: somebody who began a transaction has ended it, and nobody
    /// has ended ours.
    pub(super) fn take_back_connection(&mut self) {
        let lent = self.lent.take();
        let Some(wire) = self.wire() else { return };
        let depth = lending::depth::<DB>(&wire.connection);
        // On SQLite a write that is stopped takes the whole transaction with it.
        let is_over = DB::ended_by_itself(&wire.tag);
        if lent.is_some_and(|lent| lent != depth) {
            if self.life.in_transaction() {
                // It may be another connection altogether, without our hooks.
                self.life.lose_connection();
            }
            self.life.doom_session(Summary::miscounted_transactions());
        }
        if is_over && self.life.in_transaction() {
            self.life.doom_session(match lent {
                Some(_) => Summary::rolled_back_on_lent(),
                None => Summary::rolled_back_by_database(),
            });
        }
    }

    /// Has the rollback look whether the transaction is ours still, where somebody may have ended it unseen. COMMIT has
    /// looked by itself, unless it was refused ahead of that.
    pub(super) fn suspect(&mut self) {
        if self.life.state() == State::Committing && !self.is_unproven {
            return;
        }
        let suspicion = match self.life.witness() {
            Some(savepoint) => Some(Suspicion::Ended { savepoint }),
            None if self.unwatched != Unwatched::Nothing && !self.life.in_transaction() => {
                Some(Suspicion::Opened)
            }
            None => None,
        };
        if let Some(wire) = self.wire() {
            DB::suspect(&mut wire.tag, suspicion);
        }
    }

    /// What that rollback has found.
    pub(super) fn see_meddling(&mut self, meddled: bool) {
        let is_leased = self.life.is_leased();
        let in_autocommit = self.unwatched != Unwatched::Nothing && !self.life.in_transaction();
        // What was set on a lent connection a rollback has undone only where it was inside of our transaction. One that
        // was leased is scrubbed.
        if (meddled || in_autocommit)
            && !is_leased
            && let Some(wire) = self.wire()
        {
            DB::forget_settings(&mut wire.tag);
        }
        if meddled {
            self.unwatched = Unwatched::Meddling;
            self.life.fated(if is_leased {
                Outcome::RolledBack
            } else {
                Outcome::Unknown
            });
        }
    }
}
