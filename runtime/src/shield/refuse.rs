//! What a session does not let through to its connection.

use super::scanner::{scan, scan_autocommit};
use crate::backend::{Driver, Statement};
use crate::error::{Category, Error, Phase};

/// An error for a statement that would end the session's transaction behind its back, or open one that
/// nobody ends. Nothing has been sent: the session stays healthy.
pub(crate) fn refuse<DB: Driver>(
    statement: &Statement<DB>,
    in_transaction: bool,
) -> Result<(), sqlx::Error> {
    let scan = if in_transaction {
        scan
    } else {
        scan_autocommit
    };
    match scan(DB::DIALECT, statement.text(), statement.is_prepared()) {
        None => Ok(()),
        Some(refusal) => {
            Err(Error::new(Category::Programming, Phase::Body, refusal.to_string()).into())
        }
    }
}
