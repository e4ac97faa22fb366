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
            self.if_lost
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
            State::InStatement if self.commits_by_itself() => Outcome::Unknown,
            _ => self.fate.unwrap_or(self.if_lost),
        };
        self.become_(State::Done(outcome));
    }
}
