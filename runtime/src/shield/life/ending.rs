//! The end of a session's life: COMMIT, the rollback, and what is true where neither was answered.

use super::{Leftover, Life, Link, State};
use crate::error::Outcome;

impl Life {
    /// COMMIT is about to be sent: what must go ahead of it, and whether something was not seen to its end.
    pub(crate) fn committing(&mut self) -> (Option<String>, bool) {
        self.become_(State::Committing);
        (self.levels.closing(), self.unseen)
    }

    /// What became of the work is known ahead of the rollback that proves the connection.
    pub(crate) fn fated(&mut self, fate: Outcome) {
        self.fate = Some(fate);
    }

    pub(crate) fn rolling_back(&mut self) {
        // Without a transaction a rollback undoes nothing: what was in flight may have been done.
        if self.commits_by_itself() && self.leftover() != Leftover::Nothing {
            self.fate = Some(Outcome::Unknown);
        }
        self.become_(State::RollingBack);
    }

    pub(crate) fn rolled_back(&mut self, proven: bool) {
        let proven = proven && self.link != Link::OutOfStep;
        let outcome = if proven {
            Outcome::RolledBack
        } else {
            self.if_lost()
        };
        let outcome = match self.fate {
            // Nobody knows what a connection that was closed had open.
            Some(Outcome::Committed) if !proven => Outcome::Unknown,
            fate => fate.unwrap_or(outcome),
        };
        self.become_(State::Done(outcome));
    }

    pub(crate) fn done(&mut self, outcome: Outcome) {
        self.become_(State::Done(outcome));
    }

    /// The control future was given up, and the connection with it.
    pub(crate) fn lost(&mut self) {
        let outcome = match self.state {
            State::Done(_) => return,
            State::Committing => Outcome::Unknown,
            _ => self.outcome_by_now(),
        };
        self.become_(State::Done(outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement was dropped, and what stops it was given up with the connection.
    fn lost_while_it_recovers(in_transaction: bool) -> Option<Outcome> {
        let mut life = Life::new(in_transaction, false);
        life.opening();
        life.opened();
        life.statement_sent(false);
        life.recovering();
        life.lost();
        life.outcome()
    }

    #[test]
    fn what_may_have_committed_by_itself_is_unknown_where_nobody_saw_its_end() {
        assert_eq!(lost_while_it_recovers(false), Some(Outcome::Unknown));
        assert_eq!(lost_while_it_recovers(true), Some(Outcome::NotSent));
    }
}
