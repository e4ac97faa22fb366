//! What a session does not let through to its connection.

use super::scanner::{scan, scan_autocommit};
use crate::backend::{Dialect, Driver, Statement};
use crate::error::{Category, Error, Phase};

/// An error for a statement that would end the session's transaction behind its back, or open one that
/// nobody ends, or that sqlx would never end to read. Nothing has been sent: the session stays healthy.
pub(crate) fn refuse<DB: Driver>(
    statement: &Statement<DB>,
    in_transaction: bool,
) -> Result<(), sqlx::Error> {
    judge::<DB>(statement.text(), in_transaction, statement.is_prepared())
}

/// The same for a text that is prepared or described only: `SQLite` obeys some of its settings as soon as it compiles
/// them.
pub(crate) fn refuse_text<DB: Driver>(text: &str, in_transaction: bool) -> Result<(), sqlx::Error> {
    judge::<DB>(text, in_transaction, true)
}

fn judge<DB: Driver>(text: &str, in_transaction: bool, prepared: bool) -> Result<(), sqlx::Error> {
    // SQLite's text ends at a NUL, and sqlx goes on asking for what is behind it.
    if DB::DIALECT == Dialect::Sqlite && text.contains('\0') {
        let error = Error::new(
            Category::Programming,
            Phase::Body,
            "the statement was not sent: it holds a NUL character",
        )
        .with_help("bind the text as a value");
        return Err(error.into());
    }
    let scan = if in_transaction {
        scan
    } else {
        scan_autocommit
    };
    match scan(DB::DIALECT, text, prepared) {
        None => Ok(()),
        Some(refusal) => {
            Err(Error::new(Category::Programming, Phase::Body, refusal.to_string()).into())
        }
    }
}
