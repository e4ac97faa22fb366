//! The user's statement in a session's life: sent, polled, answered, failed, dropped.

use super::{Flight, Hidden, Leftover, Life, State};
use crate::error::{Ends, Outcome, Summary};

impl Life {
    pub(crate) fn statement_sent(&mut self, in_parts: bool) {
        self.become_(State::InStatement);
        self.flight = Flight::Pending;
        self.in_parts = in_parts;
        self.progress.sent += 1;
        self.levels.run();
    }

    /// What runs now, a procedure or words that nobody sees, may commit behind our back: only the end of the transaction
    /// will show whether it has.
    pub(crate) fn may_commit_silently(&mut self) {
        self.hidden = Hidden::Silent;
    }

    /// The same, where only somebody does who means to end the transaction.
    pub(crate) fn may_be_misused(&mut self) {
        self.hidden = self.hidden.max(Hidden::Misuse);
    }

    /// Whatever may have been committed behind our back was not.
    pub(crate) fn proven_ours(&mut self) {
        self.hidden = Hidden::Nothing;
    }

    /// The connection is lent: until the session is used again, somebody else's statements run on it.
    pub(crate) fn lent(&mut self) {
        self.statement_sent(false);
        self.flight = Flight::Unwatched;
    }

    pub(crate) fn statement_polled(&mut self) {
        self.flight = Flight::Pending;
    }

    pub(crate) fn statement_yielded(&mut self) {
        self.flight = Flight::Yielded;
    }

    pub(crate) fn statement_answered(&mut self) {
        self.become_(State::Active);
        if self.commits_by_itself() {
            self.committed_by_itself();
        }
    }

    /// The server has committed the statement.
    fn committed_by_itself(&mut self) {
        self.progress.committed += 1;
        self.fate.get_or_insert(Outcome::Committed);
    }

    /// The error of the statement in flight does not tell whether the server has applied it. In a transaction the
    /// rollback decides; without one nobody knows.
    pub(crate) fn statement_in_doubt(&mut self) {
        if !self.kind.in_transaction {
            self.fate = Some(Outcome::Unknown);
        }
    }

    pub(crate) fn statement_failed(&mut self, ends: Ends, error: impl FnOnce() -> Summary) {
        self.become_(State::Active);
        self.suffer(ends, error);
    }

    fn suffer(&mut self, ends: Ends, error: impl FnOnce() -> Summary) {
        match ends {
            Ends::Nothing => {}
            // Outside of a transaction an error ends its own statement and nothing else.
            Ends::Level if !self.kind.in_transaction => {}
            Ends::Level => self.levels.doom_latest(error()),
            Ends::Transaction => self.doom_session(error()),
            Ends::Connection => {
                self.end_connection();
                self.doom_session(error());
            }
        }
    }

    pub(crate) fn leftover(&self) -> Leftover {
        match (self.state, self.flight) {
            (State::InStatement, Flight::Yielded) => Leftover::Unread,
            (State::InStatement, Flight::Pending | Flight::Dropped) => Leftover::Running,
            (State::InStatement, Flight::Unwatched) => Leftover::Unwatched,
            _ => Leftover::Nothing,
        }
    }

    /// To be called before anything else happens to a session that may hold a dropped statement: dooms what
    /// such a statement dooms.
    pub(crate) fn notice_drop(&mut self) {
        if self.state == State::InStatement
            && self.flight == Flight::Pending
            && self.kind.in_transaction
        {
            self.flight = Flight::Dropped;
            self.unseen = true;
            if self.kind.drop_dooms_session {
                self.doom_session(Summary::dropped_statement());
            } else {
                self.levels.doom_latest(Summary::dropped_statement());
            }
        }
    }

    pub(crate) fn recovering(&mut self) {
        self.unseen = true;
        self.become_(State::Recovering);
    }

    /// Whether the statement in flight may fail with a part of its work done.
    pub(crate) fn comes_in_parts(&self) -> bool {
        self.in_parts
    }

    /// Whether the statement in flight had yielded when it was left.
    pub(crate) fn has_answered(&self) -> bool {
        self.flight == Flight::Yielded
    }

    /// `leftover` is what the unread rest of the statement said; whether it was `applied` nobody may know.
    pub(crate) fn recovered(&mut self, leftover: Option<(Ends, Summary)>, applied: Option<bool>) {
        self.become_(State::Active);
        if self.commits_by_itself() {
            match applied.filter(|_| self.flight != Flight::Unwatched) {
                None => self.fate = Some(Outcome::Unknown),
                Some(true) => self.committed_by_itself(),
                Some(false) => {}
            }
        }
        if let Some((ends, error)) = leftover {
            self.suffer(ends, || error);
        }
    }
}
