//! What a session does not let through to its connection.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::scanner::{
    Refusal, has_code_comments, mentions, scan, scan_autocommit, scan_escaped, scan_without_code,
};
use crate::backend::{Dialect, Driver, Statement};
use crate::error::{Category, Error, Phase};

/// An error for a statement that would end the session's transaction behind its back, or open one that
/// nobody ends, or that sqlx would never end to read. Nothing has been sent: the session stays healthy.
pub(crate) fn refuse<DB: Driver>(
    statement: &Statement<DB>,
    in_transaction: bool,
) -> Result<(), sqlx::Error> {
    let values = statement.values();
    if values > MOST_VALUES {
        let error = Error::new(
            Category::Programming,
            Phase::Body,
            format!("the statement was not sent: it binds {values} values"),
        )
        .with_help("65535 is the most that a statement takes; send it in parts, or bind arrays");
        return Err(error.into());
    }
    judge::<DB>(statement.text(), in_transaction, statement.is_prepared())
}

/// Both protocols count them in 16 bits.
const MOST_VALUES: usize = 65_535;

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
    let refusal = scan(DB::DIALECT, text, prepared);
    match refusal.or_else(|| scan_otherwise(DB::DIALECT, text, in_transaction, prepared)) {
        None => Ok(()),
        Some(refusal) => {
            Err(Error::new(Category::Programming, Phase::Body, refusal.to_string()).into())
        }
    }
}

/// What is wrong with a text that some servers read in another way.
fn scan_otherwise(
    dialect: Dialect,
    text: &str,
    in_transaction: bool,
    prepared: bool,
) -> Option<Refusal> {
    match dialect {
        Dialect::Postgres if reads_both_ways(text) => scan_escaped(text, prepared, in_transaction),
        Dialect::MySql if has_code_comments(text) => {
            scan_without_code(text, prepared, in_transaction)
        }
        _ => None,
    }
}

/// Whether some connection of this process may read a backslash in a string as an escape, which `PostgreSQL` leaves to
/// a setting. Most never do, and texts that look odd in that reading alone are theirs to send.
static ESCAPES: AtomicBool = AtomicBool::new(false);

/// A connection was found that does.
pub(crate) fn strings_may_escape() {
    ESCAPES.store(true, Relaxed);
}

/// Whether a backslash may decide where a string of this text ends. Whoever names the setting may turn it off, for this
/// statement or for one after it.
fn reads_both_ways(text: &str) -> bool {
    if mentions(text, &["standard_conforming_strings"]) {
        strings_may_escape();
    }
    ESCAPES.load(Relaxed) && text.contains("\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_known_in_any_case() {
        assert!(reads_both_ways(
            r"set Standard_Conforming_Strings = off; SELECT 'a\'' ; COMMIT --'"
        ));
    }
}
