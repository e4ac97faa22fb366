//! The life of a session: what happens to it, and what that decides. No I/O here; the machine beside this file sends
//! what this one decides. The states stand in `life/state.rs`.
//!
//! Doom is a property of a level, not a state: a doomed level refuses statements with its first error until
//! it is rolled back; where level 0, the transaction itself, is doomed, the session can only roll back.

mod state;

use super::levels::Levels;
use crate::error::{Ends, Outcome, Summary};

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

    // --- user statements

    pub(crate) fn statement_sent(&mut self, in_parts: bool) {
        self.become_(State::InStatement);
        self.flight = Flight::Pending;
        self.in_parts = in_parts;
        self.levels.run();
    }

    /// The statement may commit behind our back: only the end of the transaction will show whether it has.
    pub(crate) fn statement_hides(&mut self) {
        self.if_lost = Outcome::Unknown;
    }

    /// Whatever may have been committed behind our back was not.
    pub(crate) fn proven_ours(&mut self) {
        self.if_lost = Outcome::NotSent;
    }

    /// Whether no nested call has set a savepoint that is there still.
    pub(crate) fn is_bare(&self) -> bool {
        self.levels.are_bare()
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
            // The server has committed it.
            self.fate.get_or_insert(Outcome::Committed);
        }
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
                Some(true) => {
                    self.fate.get_or_insert(Outcome::Committed);
                }
                Some(false) => {}
            }
        }
        if let Some((ends, error)) = leftover {
            self.suffer(ends, || error);
        }
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

    // --- the end

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
