//! The life of a session: what happens to it, and what that decides. No I/O here; the machine beside this file sends
//! what this one decides. The states stand in `life/state.rs`.
//!
//! Doom is a property of a level, not a state: a doomed level refuses statements with its first error until
//! it is rolled back; where level 0, the transaction itself, is doomed, the session can only roll back.

mod ending;
mod outcome;
mod state;
mod statement;

use super::levels::Levels;
use crate::error::{Outcome, Summary};

pub(crate) use outcome::Progress;
use state::Flight;
pub(crate) use state::{Leftover, State};

/// What errors have shown of the connection, the worst of all last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Sound,
    /// It must not serve anybody else.
    Ended,
    /// It is gone, and an answer with it.
    Lost,
    /// Its answers may belong to other questions.
    OutOfStep,
}

/// Who decides what becomes of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The call around the session: it may run all of its body again.
    Call,
    /// Who has begun it by hand: nobody knows what they did ahead of it.
    Hand,
    /// Who has the connection itself for the whole of it.
    Lease,
}

/// Who may have committed behind our back, the likelier last: only the end of the transaction will show whether they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    Nothing,
    /// Whoever has ended our transaction on purpose, on a lent connection.
    Misuse,
    /// A procedure, or DDL on a lent connection, whatever its own answer says, or that of a statement behind it.
    Silent,
}

/// What never changes in a session's life.
#[derive(Clone, Copy, Debug)]
struct Kind {
    in_transaction: bool,
    drop_dooms_session: bool,
    owner: Owner,
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
    hidden: Hidden,
    /// How many calls run in it now.
    calls: usize,
    progress: Progress,
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
                owner: Owner::Call,
            },
            rollback_only: false,
            levels: Levels::default(),
            fate: None,
            hidden: Hidden::Nothing,
            calls: 0,
            progress: Progress::default(),
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

    /// How many savepoints the running body is inside of.
    pub(crate) fn depth(&self) -> usize {
        self.levels.depth()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.kind.in_transaction
    }

    pub(crate) fn is_leased(&self) -> bool {
        self.kind.owner == Owner::Lease
    }

    /// It was begun by hand.
    pub(crate) fn leave_to_hand(&mut self) {
        self.kind.owner = Owner::Hand;
    }

    /// Nothing is ever committed here, whatever is done on the connection.
    pub(crate) fn lease(&mut self) {
        self.kind.owner = Owner::Lease;
        self.fate = Some(Outcome::NotSent);
    }

    /// Somebody has ended the transaction, and nobody will know what that has kept.
    pub(crate) fn transaction_ended(&mut self) {
        if self.kind.in_transaction {
            self.fate = Some(Outcome::Unknown);
        }
    }

    /// Whether a statement commits by itself, as far as the session can tell.
    fn commits_by_itself(&self) -> bool {
        !self.kind.in_transaction && !self.is_leased()
    }

    /// Whether the connection must be closed whatever the rollback proves.
    pub(crate) fn has_connection_ended(&self) -> bool {
        self.link != Link::Sound
    }

    fn is_connection_lost(&self) -> bool {
        self.link >= Link::Lost
    }

    /// The connection must not serve anybody else.
    pub(crate) fn end_connection(&mut self) {
        self.link = self.link.max(Link::Ended);
    }

    /// The connection is gone, and nobody knows what was answered on it.
    pub(crate) fn lose_connection(&mut self) {
        self.link = self.link.max(Link::Lost);
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

    // --- calls and levels

    /// A call begins to run in the session.
    pub(crate) fn call_begins(&mut self) -> Progress {
        self.calls += 1;
        self.progress
    }

    pub(crate) fn call_ends(&mut self) {
        // A body may have exchanged its session for one that knows nothing of the call.
        self.calls = self.calls.saturating_sub(1);
    }

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
            self.proven_ours();
        }
    }

    pub(crate) fn mark_failed(&mut self, error: Summary) {
        self.become_(State::Active);
        self.doom_session(error);
    }
}
