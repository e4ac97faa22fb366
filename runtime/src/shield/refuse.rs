//! What a session does not let through to its connection.

use super::scanner::{scan, scan_autocommit};
use crate::backend::{Dialect, Driver, Statement};
use crate::error::{Category, Error, Phase};

/// An error for a statement that would end the session's transaction behind its back, or open one that
/// nobody ends, or that sqlx would never end to read (SQLite's text ends at a NUL). Nothing has been sent: the session
/// stays healthy.
pub(crate) fn refuse<DB: Driver>(
    statement: &Statement<DB>,
    in_transaction: bool,
) -> Result<(), sqlx::Error> {
    let scan = if in_transaction {
        scan
    } else {
        scan_autocommit
    };
    if DB::DIALECT == Dialect::Sqlite && statement.text().contains('\0') {
        let error = Error::new(
            Category::Programming,
            Phase::Body,
            "the statement was not sent: it holds a NUL character",
        )
        .with_help("bind the text as a value");
        return Err(error.into());
    }
    match scan(DB::DIALECT, statement.text(), statement.is_prepared()) {
        None => Ok(()),
        Some(refusal) => {
            Err(Error::new(Category::Programming, Phase::Body, refusal.to_string()).into())
        }
    }
}
