//! The levels of a session: the transaction and the savepoints that the running body is inside of.
//!
//! Savepoints are lazy. Entering a level sends nothing, leaving one sends nothing (it works in `Drop`): what must
//! be said is kept as at most one pending ROLLBACK TO and one pending RELEASE, and goes out in one batch ahead of
//! the next user statement.
//!
//! Invariants: a level is open only if all below it are; `rollback_to` and `release` name open levels; a deeper
//! one never survives a shallower rollback.

use std::fmt::Write as _;

use crate::backend::LENT;
use crate::error::Summary;

#[derive(Debug, Default)]
struct Level {
    opened: bool,
    doomed: Option<Summary>,
}

/// See the head of this file. Depth 0 is the transaction.
#[derive(Debug, Default)]
pub(super) struct Levels {
    transaction: Level,
    savepoints: Vec<Level>,
    /// The depth of the level that the latest statement ran in, until that level is left.
    ran_at: Option<usize>,
    rollback_to: Option<usize>,
    release: Option<usize>,
    /// The depth at which the savepoint stands inside of which a connection was lent.
    lent_at: Option<usize>,
    /// The pending release ends a level inside of which a connection was lent: only its answer tells whether that
    /// level, and with it the transaction, was still there.
    release_proves: bool,
    /// Such a release is on its way: the savepoint that it names.
    proving: Option<String>,
}

impl Levels {
    pub(super) fn depth(&self) -> usize {
        self.savepoints.len()
    }

    /// The first error of the outermost doomed level.
    pub(super) fn doom(&self) -> Option<&Summary> {
        self.transaction.doomed.as_ref().or_else(|| {
            self.savepoints
                .iter()
                .find_map(|level| level.doomed.as_ref())
        })
    }

    pub(super) fn transaction_doom(&self) -> Option<&Summary> {
        self.transaction.doomed.as_ref()
    }

    pub(super) fn doom_transaction(&mut self, error: Summary) {
        self.transaction.doomed.get_or_insert(error);
    }

    /// A statement runs in the innermost level.
    pub(super) fn run(&mut self) {
        self.ran_at = Some(self.depth());
    }

    /// Dooms the level of the latest statement, which need not be the innermost by now. One that was left is
    /// rolled back before anything else is sent.
    pub(super) fn doom_latest(&mut self, error: Summary) {
        let level = match self.ran_at {
            Some(0) => Some(&mut self.transaction),
            Some(depth) => self.savepoints.get_mut(depth - 1),
            None => None,
        };
        if let Some(level) = level {
            level.doomed.get_or_insert(error);
        }
    }

    pub(super) fn enter(&mut self) {
        self.savepoints.push(Level::default());
    }

    /// Keeps what the innermost level did. It cannot where that level is doomed, or one around it: it is rolled
    /// back, and the error that doomed that one is the answer.
    pub(super) fn leave_well(&mut self) -> Result<(), Summary> {
        let doom = self.doom().cloned();
        let Some(level) = self.leave() else {
            return Ok(());
        };
        if let Some(error) = doom {
            self.undo(&level);
            return Err(error);
        }
        if level.opened {
            self.release = Some(self.depth() + 1);
        }
        Ok(())
    }

    /// Undoes what the innermost level did.
    pub(super) fn leave_badly(&mut self) {
        if let Some(level) = self.leave() {
            self.undo(&level);
        }
    }

    fn leave(&mut self) -> Option<Level> {
        let level = self.savepoints.pop();
        let depth = self.depth();
        self.ran_at = self.ran_at.filter(|&ran_at| ran_at <= depth);
        if self.lent_at.is_some_and(|lent_at| lent_at > depth) {
            self.lent_at = None;
            self.release_proves = true;
        }
        level
    }

    /// Undoes the level that was just left.
    fn undo(&mut self, level: &Level) {
        if level.opened {
            self.rollback_to = Some(self.depth() + 1);
            self.release = self.rollback_to;
        }
    }

    /// Whether none of them has a savepoint that is there still.
    pub(super) fn are_bare(&self) -> bool {
        self.rollback_to.is_none()
            && self.release.is_none()
            && self.savepoints.iter().all(|level| !level.opened)
    }

    /// Whether a connection has been lent inside of a savepoint of ours that is there still.
    fn lends(&self) -> bool {
        self.lent_at.is_some()
    }

    /// Whether a connection that is lent now is inside of such a savepoint of its own level, with none of ours between.
    pub(super) fn lends_here(&self) -> bool {
        self.lent_at == Some(self.depth()) && self.is_lent_innermost()
    }

    /// Whether none of ours is inside of that savepoint, so that it can be set anew.
    pub(super) fn is_lent_innermost(&self) -> bool {
        let Some(inside) = self.lent_at.and_then(|depth| self.savepoints.get(depth..)) else {
            return false;
        };
        self.rollback_to.is_none()
            && self.release.is_none()
            && inside.iter().all(|level| !level.opened)
    }

    /// That savepoint is sent.
    pub(super) fn lent(&mut self, depth: usize) {
        self.lent_at = Some(depth);
    }

    /// The transaction was not opened, and no savepoint with it.
    pub(super) fn not_opened(&mut self) {
        self.lent_at = None;
    }

    /// A savepoint that is there for as long as nobody has ended the transaction since the connection was lent.
    pub(super) fn witness(&self) -> Option<String> {
        if let Some(proving) = &self.proving {
            return Some(proving.clone());
        }
        if self.lends() {
            return Some(LENT.to_owned());
        }
        self.proving_release()
            .map(|depth| format!("steadfast_{depth}"))
    }

    fn proving_release(&self) -> Option<usize> {
        self.release.filter(|_| self.release_proves)
    }

    /// What goes out ahead of the next user statement, if anything must; `marks_lent` ahead of what is done on a lent
    /// connection. A RELEASE alone waits.
    pub(super) fn batch(&self, marks_lent: bool) -> Option<String> {
        let all_open = self.savepoints.iter().all(|level| level.opened);
        if self.rollback_to.is_none() && all_open && !marks_lent {
            return None;
        }
        let mut sql = self.undoing().unwrap_or_default();
        if let Some(depth) = self.release {
            let _ = write!(sql, "RELEASE SAVEPOINT steadfast_{depth}; ");
        }
        for (index, level) in self.savepoints.iter().enumerate() {
            if !level.opened {
                let _ = write!(sql, "SAVEPOINT steadfast_{}; ", index + 1);
            }
        }
        if marks_lent {
            let _ = write!(sql, "SAVEPOINT {LENT}; ");
        }
        sql.truncate(sql.len() - 2);
        Some(sql)
    }

    /// The batch is sent. From here on it counts as done: nothing else goes out before its answer, a failure
    /// dooms the session, and a level that is dropped meanwhile must be undone although no answer has come.
    pub(super) fn batch_sent(&mut self) {
        self.proving = self
            .proving_release()
            .map(|depth| format!("steadfast_{depth}"));
        self.rollback_to = None;
        self.release = None;
        self.release_proves = false;
        for level in &mut self.savepoints {
            level.opened = true;
        }
    }

    /// The batch has done what it was to do. Whether that has proven that the transaction is ours, and nothing was lent
    /// in it that is not undone or proven too.
    pub(super) fn batch_answered(&mut self) -> bool {
        self.proving.take().is_some() && !self.lends()
    }

    /// What must go out ahead of COMMIT. A pending RELEASE is dropped, for COMMIT releases all, unless it proves
    /// something.
    pub(super) fn closing(&self) -> Option<String> {
        let mut sql = self.undoing();
        if let Some(depth) = self.proving_release() {
            let _ = write!(
                sql.get_or_insert_default(),
                "RELEASE SAVEPOINT steadfast_{depth}; "
            );
        }
        if self.lends() {
            let _ = write!(sql.get_or_insert_default(), "RELEASE SAVEPOINT {LENT}; ");
        }
        sql
    }

    fn undoing(&self) -> Option<String> {
        self.rollback_to
            .map(|depth| format!("ROLLBACK TO SAVEPOINT steadfast_{depth}; "))
    }
}
