//! The life of a session: its states, its transitions, its levels. No I/O here; the machine beside this
//! file sends what this one decides.
//!
//! | from | event | to |
//! |---|---|---|
//! | `Unopened` | first statement: BEGIN is sent | `Opening` |
//! | `Unopened` | first statement in autocommit | `Active` |
//! | `Unopened` | end | `Done(NotSent)` |
//! | `Unopened` | end, with a connection whose BEGIN was refused | `RollingBack` |
//! | `Opening` | BEGIN answered, or failed (then doomed) | `Active` |
//! | `Opening` | BEGIN refused because another process holds the lock, or the connection was dead | `Unopened` |
//! | `Active` | a savepoint batch is sent | `Marking` |
//! | `Marking` | answered, or failed (then doomed) | `Active` |
//! | `Active` | a user's statement is sent | `InStatement` |
//! | `InStatement` | it is answered to its end, or fails | `Active` |
//! | `InStatement` | it was dropped, and the session goes on | `Recovering` |
//! | `Recovering` | the wire is quiet again | `Active` |
//! | `Active` | COMMIT is sent | `Committing` |
//! | `Committing` | answered | `Done(Committed)` |
//! | `Committing` | failed: the rollback proves the connection | `RollingBack` |
//! | `Active`, `InStatement` | ROLLBACK is sent | `RollingBack` |
//! | `RollingBack` | proven, or the connection closed | `Done(_)` |
//! | `Active` in autocommit | end, with every statement answered | `Done(Committed)` |
//! | any but `Done` | the connection was lost with its control future | `Done(NotSent)`, `Done(Unknown)` after COMMIT |
//!
//! Doom is a property of a level, not a state: a doomed level refuses statements with its first error until
//! it is rolled back; where level 0, the transaction itself, is doomed, the session can only roll back.
//!
//! Invariants: a level is open only if all below it are; `rollback_to` and `release` name open levels; at
//! most one of each is pending, and a deeper one never survives a shallower rollback.

use std::fmt::Write as _;

use crate::error::{Ends, Outcome, Summary};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Unopened,
    Opening,
    Active,
    InStatement,
    Marking,
    Recovering,
    Committing,
    RollingBack,
    Done(Outcome),
}

impl State {
    fn may_become(self, next: Self) -> bool {
        use State::{
            Active, Committing, Done, InStatement, Marking, Opening, Recovering, RollingBack,
            Unopened,
        };
        matches!(
            (self, next),
            (Unopened, Opening | Active | RollingBack | Done(_))
                | (Opening, Active | Unopened)
                | (Active, InStatement | Marking | Committing | RollingBack)
                | (InStatement, Active | Recovering | RollingBack)
                | (Marking | Recovering, Active)
                | (Committing, RollingBack)
        ) || (matches!(next, Done(_)) && !matches!(self, Done(_)))
    }
}

/// What a dropped statement left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    Nothing,
    /// It had answered and was not read to its end.
    Unread,
    /// It was still running.
    Running,
}

/// The statement in flight, in state `InStatement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// Its last poll went unanswered.
    Pending,
    /// It has yielded and was not polled since.
    Yielded,
    /// It was dropped while it was pending, and what that dooms is doomed.
    Dropped,
}

/// What never changes in a session's life.
#[derive(Clone, Copy, Debug)]
struct Kind {
    in_transaction: bool,
    drop_dooms_session: bool,
}

#[derive(Debug, Default)]
struct Level {
    opened: bool,
    doomed: Option<Summary>,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Life {
    state: State,
    flight: Flight,
    /// The depth of the level that the latest statement ran in, until that level is left.
    ran_at: Option<usize>,
    /// Whether some statement was not read to its end, so that its last word is not known.
    unseen: bool,
    kind: Kind,
    rollback_only: bool,
    transaction: Level,
    savepoints: Vec<Level>,
    rollback_to: Option<usize>,
    release: Option<usize>,
    /// What a failed COMMIT has already decided.
    fate: Option<Outcome>,
    /// An error has shown that the connection must not serve anybody else.
    connection_ended: bool,
}

impl Life {
    pub(crate) fn new(in_transaction: bool, drop_dooms_session: bool) -> Self {
        Self {
            state: State::Unopened,
            flight: Flight::Yielded,
            ran_at: None,
            unseen: false,
            kind: Kind {
                in_transaction,
                drop_dooms_session,
            },
            rollback_only: false,
            transaction: Level::default(),
            savepoints: Vec::new(),
            rollback_to: None,
            release: None,
            fate: None,
            connection_ended: false,
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
        self.savepoints.len()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.kind.in_transaction
    }

    /// Whether the connection must be closed whatever the rollback proves.
    pub(crate) fn has_connection_ended(&self) -> bool {
        self.connection_ended
    }

    pub(crate) fn is_rollback_only(&self) -> bool {
        self.rollback_only
    }

    pub(crate) fn set_rollback_only(&mut self) {
        self.rollback_only = true;
    }

    /// The first error of the outermost doomed level the running body is inside of.
    pub(crate) fn doom(&self) -> Option<&Summary> {
        self.transaction.doomed.as_ref().or_else(|| {
            self.savepoints
                .iter()
                .find_map(|level| level.doomed.as_ref())
        })
    }

    /// The first error of the transaction itself.
    pub(crate) fn session_doom(&self) -> Option<&Summary> {
        self.transaction.doomed.as_ref()
    }

    pub(crate) fn doom_session(&mut self, error: Summary) {
        self.transaction.doomed.get_or_insert(error);
    }

    /// Dooms the level of the latest statement, which need not be the innermost by now. One that was left is
    /// rolled back before anything else is sent.
    fn doom_level(&mut self, error: Summary) {
        let level = match self.ran_at {
            Some(0) => Some(&mut self.transaction),
            Some(depth) => self.savepoints.get_mut(depth - 1),
            None => None,
        };
        if let Some(level) = level {
            level.doomed.get_or_insert(error);
        }
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
    }

    pub(crate) fn open_failed(&mut self, error: Summary) {
        self.become_(State::Active);
        self.doom_session(error);
    }

    // --- user statements

    pub(crate) fn statement_sent(&mut self) {
        self.become_(State::InStatement);
        self.flight = Flight::Pending;
        self.ran_at = Some(self.depth());
    }

    pub(crate) fn statement_polled(&mut self) {
        self.flight = Flight::Pending;
    }

    pub(crate) fn statement_yielded(&mut self) {
        self.flight = Flight::Yielded;
    }

    pub(crate) fn statement_answered(&mut self) {
        self.become_(State::Active);
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
            Ends::Level => self.doom_level(error()),
            Ends::Transaction => self.doom_session(error()),
            Ends::Connection => {
                self.connection_ended = true;
                self.doom_session(error());
            }
        }
    }

    pub(crate) fn leftover(&self) -> Leftover {
        match (self.state, self.flight) {
            (State::InStatement, Flight::Yielded) => Leftover::Unread,
            (State::InStatement, Flight::Pending | Flight::Dropped) => Leftover::Running,
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
                self.doom_level(Summary::dropped_statement());
            }
        }
    }

    pub(crate) fn recovering(&mut self) {
        self.unseen = true;
        self.become_(State::Recovering);
    }

    /// `leftover` is what the unread rest of the statement said.
    pub(crate) fn recovered(&mut self, leftover: Option<(Ends, Summary)>) {
        self.become_(State::Active);
        if let Some((ends, error)) = leftover {
            self.suffer(ends, || error);
        }
    }

    // --- levels

    /// A nested body begins. Nothing is sent before its first statement.
    pub(crate) fn enter(&mut self) {
        self.savepoints.push(Level::default());
    }

    /// The innermost nested body has ended well. It cannot where its level is doomed, or one around it: it is
    /// rolled back, and the error that doomed that one is the answer.
    pub(crate) fn leave_well(&mut self) -> Result<(), Summary> {
        self.notice_drop();
        let doom = self.doom().cloned();
        let Some(level) = self.leave() else {
            return Ok(());
        };
        let depth = self.savepoints.len() + 1;
        if let Some(error) = doom {
            self.undo(depth, level.opened);
            return Err(error);
        }
        if level.opened {
            self.release = Some(depth);
        }
        Ok(())
    }

    /// The innermost nested body has failed, or was dropped. No await: this runs in `Drop`.
    pub(crate) fn leave_badly(&mut self) {
        self.notice_drop();
        if let Some(level) = self.leave() {
            self.undo(self.savepoints.len() + 1, level.opened);
        }
    }

    fn leave(&mut self) -> Option<Level> {
        let level = self.savepoints.pop();
        let depth = self.savepoints.len();
        self.ran_at = self.ran_at.filter(|&ran_at| ran_at <= depth);
        level
    }

    fn undo(&mut self, depth: usize, opened: bool) {
        if opened {
            self.rollback_to = Some(depth);
            self.release = Some(depth);
        }
    }

    /// What goes out ahead of the next user statement, if anything must. A RELEASE alone waits.
    pub(crate) fn prelude(&self) -> Option<String> {
        let all_open = self.savepoints.iter().all(|level| level.opened);
        if self.rollback_to.is_none() && all_open {
            return None;
        }
        let mut sql = String::new();
        if let Some(depth) = self.rollback_to {
            let _ = write!(sql, "ROLLBACK TO SAVEPOINT steadfast_{depth}; ");
        }
        if let Some(depth) = self.release {
            let _ = write!(sql, "RELEASE SAVEPOINT steadfast_{depth}; ");
        }
        for (index, level) in self.savepoints.iter().enumerate() {
            if !level.opened {
                let _ = write!(sql, "SAVEPOINT steadfast_{}; ", index + 1);
            }
        }
        sql.truncate(sql.len() - 2);
        Some(sql)
    }

    /// The batch is sent. From here on it counts as done: nothing else goes out before its answer, a failure
    /// dooms the session, and a level that is dropped meanwhile must be undone although no answer has come.
    pub(crate) fn marking(&mut self) {
        self.become_(State::Marking);
        self.rollback_to = None;
        self.release = None;
        for level in &mut self.savepoints {
            level.opened = true;
        }
    }

    pub(crate) fn marked(&mut self) {
        self.become_(State::Active);
    }

    pub(crate) fn mark_failed(&mut self, error: Summary) {
        self.become_(State::Active);
        self.doom_session(error);
    }

    // --- the end

    /// COMMIT is about to be sent: what must go ahead of it, and whether something was not seen to its end.
    pub(crate) fn committing(&mut self) -> (Option<String>, bool) {
        self.become_(State::Committing);
        let undo = self
            .rollback_to
            .map(|depth| format!("ROLLBACK TO SAVEPOINT steadfast_{depth}; "));
        (undo, self.unseen)
    }

    pub(crate) fn commit_failed(&mut self, fate: Outcome) {
        self.fate = Some(fate);
    }

    pub(crate) fn rolling_back(&mut self) {
        // Without a transaction a rollback undoes nothing: what was in flight may have been done.
        if !self.kind.in_transaction && self.leftover() != Leftover::Nothing {
            self.fate = Some(Outcome::Unknown);
        }
        self.become_(State::RollingBack);
    }

    pub(crate) fn rolled_back(&mut self, proven: bool) {
        let outcome = if proven {
            Outcome::RolledBack
        } else {
            Outcome::NotSent
        };
        self.become_(State::Done(self.fate.unwrap_or(outcome)));
    }

    pub(crate) fn done(&mut self, outcome: Outcome) {
        self.become_(State::Done(outcome));
    }

    /// The control future was given up, and the connection with it.
    pub(crate) fn lost(&mut self) {
        let outcome = match self.state {
            State::Done(_) => return,
            State::Committing => Outcome::Unknown,
            _ => self.fate.unwrap_or(Outcome::NotSent),
        };
        self.become_(State::Done(outcome));
    }
}
