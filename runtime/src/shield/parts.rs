//! Statements that are more than one.

use super::scanner::{commits_inside, holds_several};
use crate::backend::{Driver, Statement};

/// Whether a statement that fails outside of a transaction may leave a part of its work behind: a text of several
/// statements, where the database commits each by itself, or a procedure or block that may commit by itself.
pub(crate) fn comes_in_parts<DB: Driver>(statement: &Statement<DB>) -> bool {
    let text = statement.text();
    commits_inside(DB::DIALECT, text)
        || (!DB::TEXT_IS_TRANSACTION && holds_several(DB::DIALECT, text))
}

/// The same statement once more, where one that another process's lock has refused may be sent again.
pub(crate) fn spare<DB: Driver>(statement: &Statement<DB>) -> Option<Statement<DB>> {
    DB::again(statement).filter(|_| !comes_in_parts(statement))
}
