//! What a session's life says of its work, now and to whoever asks while it is open.

use super::{Hidden, Life, Owner, State};
use crate::error::Outcome;

/// How many statements have been sent, and how many of them the server has committed by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(super) sent: u64,
    pub(super) committed: u64,
}

impl Life {
    /// The outcome, or what is certain of it where the session has not come to its end.
    pub(crate) fn outcome_by_now(&self) -> Outcome {
        if self.is_in_flight() && self.commits_by_itself() {
            return Outcome::Unknown;
        }
        self.outcome().or(self.fate).unwrap_or(self.if_lost())
    }

    /// Whether a statement was sent of which nobody has seen the end.
    fn is_in_flight(&self) -> bool {
        matches!(self.state, State::InStatement | State::Recovering)
    }

    /// What is true of the work where the connection is lost ahead of COMMIT.
    pub(super) fn if_lost(&self) -> Outcome {
        match self.hidden {
            Hidden::Nothing => Outcome::NotSent,
            Hidden::Misuse | Hidden::Silent => Outcome::Unknown,
        }
    }

    /// What an error says of the work whose connection was lost behind a statement. By hand only who ends the session is
    /// told that nothing of it is there: what went ahead of it must not be run again for that.
    pub(crate) fn outcome_of_loss(&self) -> Outcome {
        match self.kind.owner {
            Owner::Hand => Outcome::Unknown,
            Owner::Call | Owner::Lease => self.outcome_by_now(),
        }
    }

    /// What any other error of the open session says of the work. That is `NotSent`, for the end of the session, or of a
    /// call in it, will tell: unless it is known already that nobody can. By hand nobody around is told of that end, and
    /// behind what commits silently it must not look as if nothing were there.
    pub(crate) fn outcome_of_failure(&self) -> Outcome {
        let tells_nobody = self.kind.owner == Owner::Hand && self.calls == 0;
        let fate = if tells_nobody && self.hidden == Hidden::Silent {
            self.outcome_by_now()
        } else {
            self.fate.unwrap_or(Outcome::NotSent)
        };
        if self.is_connection_lost() {
            self.outcome_of_loss()
        } else if self.kind.in_transaction && fate == Outcome::Unknown {
            Outcome::Unknown
        } else {
            Outcome::NotSent
        }
    }

    /// What became of the work of a part of a session without a transaction, from its beginning on.
    pub(crate) fn outcome_since(&self, beginning: Progress) -> Outcome {
        if self.is_in_flight() || self.fate == Some(Outcome::Unknown) {
            Outcome::Unknown
        } else if self.progress.committed > beginning.committed {
            Outcome::Committed
        } else if self.progress.sent > beginning.sent {
            Outcome::RolledBack
        } else {
            Outcome::NotSent
        }
    }

    /// What becomes of a level's work where that is undone: the savepoint is gone if somebody has committed.
    pub(crate) fn once_undone(&self) -> Outcome {
        if self.is_connection_lost() {
            return self.outcome_of_loss();
        }
        if !self.kind.in_transaction {
            // Nothing is undone, and what is in flight may have been done.
            return if self.is_in_flight() {
                Outcome::Unknown
            } else {
                self.fate.unwrap_or(Outcome::NotSent)
            };
        }
        match self.if_lost() {
            Outcome::Unknown => Outcome::Unknown,
            // Nobody answers a rollback any more.
            _ if self.has_connection_ended() => Outcome::NotSent,
            _ => Outcome::RolledBack,
        }
    }
}
