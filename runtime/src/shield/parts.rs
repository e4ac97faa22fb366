//! What is known of a statement before it is sent.

use super::scanner::{begins_with_write, commits_inside, holds_several};
use crate::backend::{Driver, Statement};

/// Whether a statement that fails outside of a transaction may leave a part of its work behind, as far as its text
/// shows: one of several statements, where the database commits each by itself, or one that commits one thing after the
/// other.
pub(super) fn comes_in_parts<DB: Driver>(statement: &Statement<DB>) -> bool {
    let text = statement.text();
    commits_inside(DB::DIALECT, text)
        || (!DB::TEXT_IS_TRANSACTION && holds_several(DB::DIALECT, text, statement.is_prepared()))
}

/// Whether a statement is sure to want the lock of the one writer, where the database has one. Such a statement queues
/// before it takes a connection; one that is not known by its first word does so once it was refused.
pub(crate) fn writes<DB: Driver>(statement: &Statement<DB>) -> bool {
    begins_with_write(DB::DIALECT, statement.text())
}

/// The same statement once more, where one that another process's lock has refused may be sent again.
pub(crate) fn spare<DB: Driver>(statement: &Statement<DB>) -> Option<Statement<DB>> {
    DB::again(statement).filter(|_| !comes_in_parts(statement))
}
