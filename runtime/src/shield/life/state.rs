//! The states of a session, and which may follow which.
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
//! | `Active` | a user's statement is sent, or the connection is lent | `InStatement` |
//! | `InStatement` | it is answered to its end, or fails | `Active` |
//! | `InStatement` | it was dropped, or the connection is back, and the session goes on | `Recovering` |
//! | `Recovering` | the wire is quiet again | `Active` |
//! | `Active` | COMMIT is sent | `Committing` |
//! | `Committing` | answered | `Done(Committed)` |
//! | `Committing` | failed: the rollback proves the connection | `RollingBack` |
//! | `Active`, `InStatement` | ROLLBACK is sent | `RollingBack` |
//! | `RollingBack` | proven, or the connection closed | `Done(_)` |
//! | `Active` in autocommit | end, with every statement answered | `Done(Committed)` |
//! | `Active` in autocommit | end, where a transaction may have been left open: ROLLBACK is sent | `RollingBack` |
//! | any but `Done` | the connection was lost with its control future | `Done(NotSent)`, `Done(Unknown)` after COMMIT or a statement that may have committed |

use crate::error::Outcome;

/// See the head of this file.
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
    pub(super) fn may_become(self, next: Self) -> bool {
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
    /// The connection was lent, and what was done on it nobody has seen.
    Unwatched,
}

/// The statement in flight, in state `InStatement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// Its last poll went unanswered.
    Pending,
    /// It has yielded and was not polled since.
    Yielded,
    /// It was dropped while it was pending, and what that dooms is doomed.
    Dropped,
    /// It is whatever the borrower of the connection does.
    Unwatched,
}
