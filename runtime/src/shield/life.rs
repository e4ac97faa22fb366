//! The life of a session: what happens to it, and what that decides. No I/O here; the machine beside this file sends
//! what this one decides. The states stand in `life/state.rs`.
//!
//! Doom is a property of a level, not a state: a doomed level refuses statements with its first error until
//! it is rolled back; where level 0, the transaction itself, is doomed, the session can only roll back.

mod ending;
mod state;
mod statement;

use super::levels::Levels;
use crate::error::{Outcome, Summary};

use state::Flight;
pub(crate) use state::{Leftover, State};

/// What errors have shown of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Sound,
    /// It must not serve anybody else.
    Ended,
    /// Its answers may belong to other questions.
    OutOfStep,
}

/// What never changes in a session's life.
#[derive(Clone, Copy, Debug)]
struct Kind {
    in_transaction: bool,
    drop_dooms_session: bool,
    /// The connection is lent for the whole of it, and what becomes of the work is the borrower's own affair.
    by_hand: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Life {
    state: State,
    flight: Flight,
    /// Whether the statement in flight may fail with a part of its work done.
    in_parts: bool,
    /// Whether some statement was not read to its end, so that its last word is not known.
    unseen: bool,
    kind: Kind,
    rollback_only: bool,
    levels: Levels,
    /// What is decided ahead of the rollback, by a failed COMMIT above all.
    fate: Option<Outcome>,
    /// What is true of the work where the connection is lost ahead of COMMIT.
    if_lost: Outcome,
    link: Link,
}

impl Life {
    pub(crate) fn new(in_transaction: bool, drop_dooms_session: bool) -> Self {
        Self {
            state: State::Unopened,
            flight: Flight::Yielded,
            in_parts: false,
            unseen: false,
            kind: Kind {
                in_transaction,
                drop_dooms_session,
                by_hand: false,
            },
            rollback_only: false,
            levels: Levels::default(),
            fate: None,
            if_lost: Outcome::NotSent,
            link: Link::Sound,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The outcome, or what is certain of it where the session has not come to its end.
    pub(crate) fn outcome_by_now(&self) -> Outcome {
        self.outcome().or(self.fate).unwrap_or(self.if_lost)
    }

    /// How many savepoints the running body is inside of.
    pub(crate) fn depth(&self) -> usize {
        self.levels.depth()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.kind.in_transaction
    }

    pub(crate) fn is_by_hand(&self) -> bool {
        self.kind.by_hand
    }

    /// Nothing is ever committed here, whatever the borrower of the connection does.
    pub(crate) fn leave_to_borrower(&mut self) {
        self.kind.by_hand = true;
        self.fate = Some(Outcome::NotSent);
    }

    /// Somebody has ended the transaction, and nobody will know what that has kept.
    pub(crate) fn transaction_ended(&mut self) {
        if self.kind.in_transaction {
            self.fate = Some(Outcome::Unknown);
        }
    }

    /// Whether that is known already.
    pub(crate) fn has_transaction_ended(&self) -> bool {
        self.kind.in_transaction && self.fate == Some(Outcome::Unknown)
    }

    /// Whether a statement commits by itself, as far as the session can tell.
    fn commits_by_itself(&self) -> bool {
        !self.kind.in_transaction && !self.kind.by_hand
    }

    /// Whether the connection must be closed whatever the rollback proves.
    pub(crate) fn has_connection_ended(&self) -> bool {
        self.link != Link::Sound
    }

    /// The connection must not serve anybody else.
    pub(crate) fn end_connection(&mut self) {
        if self.link == Link::Sound {
            self.link = Link::Ended;
        }
    }

    /// Question and answer may not belong together any more: nothing that the server says from here on is proof.
    pub(crate) fn out_of_step(&mut self) {
        self.link = Link::OutOfStep;
    }

    pub(crate) fn is_rollback_only(&self) -> bool {
        self.rollback_only
    }

    pub(crate) fn set_rollback_only(&mut self) {
        self.rollback_only = true;
    }

    /// The first error of the outermost doomed level the running body is inside of.
    pub(crate) fn doom(&self) -> Option<&Summary> {
        self.levels.doom()
    }

    /// The first error of the transaction itself.
    pub(crate) fn session_doom(&self) -> Option<&Summary> {
        self.levels.transaction_doom()
    }

    pub(crate) fn doom_session(&mut self, error: Summary) {
        self.levels.doom_transaction(error);
    }

    fn become_(&mut self, next: State) {
        assert!(
            self.state.may_become(next),
            "a session cannot go from {:?} to {next:?}",
            self.state
        );
        self.state = next;
    }

    // --- opening

    pub(crate) fn opening(&mut self) {
        self.become_(State::Opening);
    }

    pub(crate) fn opened(&mut self) {
        self.become_(State::Active);
    }

    pub(crate) fn open_refused(&mut self) {
        self.become_(State::Unopened);
        self.levels.not_opened();
        // What was wrong with a connection that is gone says nothing of the next.
        self.link = Link::Sound;
    }

    pub(crate) fn open_failed(&mut self, error: Summary) {
        self.become_(State::Active);
        self.levels.not_opened();
        self.doom_session(error);
    }

    // --- levels

    /// A nested body begins. Nothing is sent before its first statement.
    pub(crate) fn enter(&mut self) {
        self.levels.enter();
    }

    /// The innermost nested body has ended well; see [`Levels::leave_well`].
    pub(crate) fn leave_well(&mut self) -> Result<(), Summary> {
        self.notice_drop();
        self.levels.leave_well()
    }

    /// The innermost nested body has failed, or was dropped. No await: this runs in `Drop`.
    pub(crate) fn leave_badly(&mut self) {
        self.notice_drop();
        self.levels.leave_badly();
    }

    /// What becomes of a level's work where that is undone: the savepoint is gone if somebody has committed.
    pub(crate) fn once_undone(&self) -> Outcome {
        if !self.kind.in_transaction {
            // Nothing is undone, and what is in flight may have been done.
            return match self.leftover() {
                Leftover::Nothing => self.fate.unwrap_or(Outcome::NotSent),
                _ => Outcome::Unknown,
            };
        }
        match self.if_lost {
            Outcome::Unknown => Outcome::Unknown,
            _ => Outcome::RolledBack,
        }
    }

    /// What goes out ahead of the next user statement, if anything must; see [`Levels::batch`].
    pub(crate) fn prelude(&self, marks_lent: bool) -> Option<String> {
        self.levels.batch(marks_lent)
    }

    pub(crate) fn marking(&mut self) {
        self.become_(State::Marking);
        self.levels.batch_sent();
    }

    /// Whether no nested call has set a savepoint that is there still.
    pub(crate) fn is_bare(&self) -> bool {
        self.levels.are_bare()
    }

    /// See [`Levels::lends_here`].
    pub(crate) fn lends_here(&self) -> bool {
        self.levels.lends_here()
    }

    /// See [`Levels::is_lent_innermost`].
    pub(crate) fn is_lent_innermost(&self) -> bool {
        self.levels.is_lent_innermost()
    }

    /// See [`Levels::witness`].
    pub(crate) fn witness(&self) -> Option<String> {
        self.levels.witness()
    }

    /// That savepoint is sent, with BEGIN or with a batch.
    pub(crate) fn lending(&mut self, depth: usize) {
        self.levels.lent(depth);
    }

    pub(crate) fn marked(&mut self) {
        self.become_(State::Active);
        if self.levels.batch_answered() {
            self.if_lost = Outcome::NotSent;
        }
    }

    pub(crate) fn mark_failed(&mut self, error: Summary) {
        self.become_(State::Active);
        self.doom_session(error);
    }
}
