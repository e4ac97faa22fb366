//! The code table of `SQLite`.
//!
//! Source: the page "Result and Error Codes" of `SQLite`, whose names stand beside the codes. An error here takes the
//! statement alone; where `SQLite` rolls back by itself (full disk, I/O error, `OR ROLLBACK`), its rollback hook tells.

mod file;

use std::borrow::Cow;

use sqlx::error::DatabaseError;

use super::category::Category::{
    self, Access, Cancelled, Conflict, Data, Internal, LockTimeout, Programming, ReadOnly, Resource,
};
use super::category::Integrity::{Check, ForeignKey, NotNull, Unique};
use super::facts::Facts;
use super::verdict::AtCommit::{RolledBack, StillOpen, Unknown};
use super::verdict::Ends::{self, Nothing, Transaction};
use super::verdict::{AtCommit, Retry, Verdict};

struct Code(u32, Category, Retry, AtCommit, Ends);

/// Sorted by code. An extended code without a line of its own is judged by its primary code, its low byte.
#[rustfmt::skip]
const CODES: [Code; 41] = [
    Code(1, Programming, Retry::Never, StillOpen, Nothing),                          // SQLITE_ERROR
    Code(2, Internal, Retry::Never, StillOpen, Nothing),                             // SQLITE_INTERNAL
    Code(3, Access, Retry::Never, StillOpen, Nothing),                               // SQLITE_PERM
    Code(4, Cancelled, Retry::Never, StillOpen, Nothing),                            // SQLITE_ABORT
    Code(5, Conflict, Retry::Yes, StillOpen, Nothing),                               // SQLITE_BUSY
    // Somebody else's lock has a code of its own (262): this one is the connection's own doing, and no wait ends it.
    Code(6, Programming, Retry::Never, StillOpen, Nothing),                          // SQLITE_LOCKED
    Code(7, Resource, Retry::Never, StillOpen, Nothing),                             // SQLITE_NOMEM
    Code(8, ReadOnly, Retry::Never, StillOpen, Nothing),                             // SQLITE_READONLY
    Code(9, Cancelled, Retry::Never, StillOpen, Nothing),                            // SQLITE_INTERRUPT
    // What was written before the disk failed may be found again after a crash.
    Code(10, Resource, Retry::Never, Unknown, Nothing),                              // SQLITE_IOERR
    Code(11, Resource, Retry::Never, StillOpen, Nothing),                            // SQLITE_CORRUPT
    Code(12, Programming, Retry::Never, StillOpen, Nothing),                         // SQLITE_NOTFOUND
    Code(13, Resource, Retry::Never, StillOpen, Nothing),                            // SQLITE_FULL
    Code(14, Resource, Retry::Never, StillOpen, Nothing),                            // SQLITE_CANTOPEN
    Code(15, Conflict, Retry::Yes, StillOpen, Nothing),                              // SQLITE_PROTOCOL: lost races for the WAL's locks
    Code(17, Conflict, Retry::Once, StillOpen, Nothing),                             // SQLITE_SCHEMA
    Code(18, Data, Retry::Never, StillOpen, Nothing),                                // SQLITE_TOOBIG
    Code(19, Category::Integrity(Check), Retry::Never, StillOpen, Nothing),          // SQLITE_CONSTRAINT
    Code(20, Data, Retry::Never, StillOpen, Nothing),                                // SQLITE_MISMATCH
    Code(21, Internal, Retry::Never, StillOpen, Nothing),                            // SQLITE_MISUSE
    Code(22, Resource, Retry::Never, StillOpen, Nothing),                            // SQLITE_NOLFS
    Code(23, Access, Retry::Never, StillOpen, Nothing),                              // SQLITE_AUTH
    Code(25, Programming, Retry::Never, StillOpen, Nothing),                         // SQLITE_RANGE
    Code(26, Resource, Retry::Never, StillOpen, Nothing),                            // SQLITE_NOTADB
    Code(261, Conflict, Retry::Yes, StillOpen, Nothing),                             // SQLITE_BUSY_RECOVERY
    Code(262, LockTimeout, Retry::Yes, StillOpen, Nothing),                          // SQLITE_LOCKED_SHAREDCACHE
    Code(275, Category::Integrity(Check), Retry::Never, StillOpen, Nothing),         // SQLITE_CONSTRAINT_CHECK
    Code(516, Cancelled, Retry::Never, RolledBack, Transaction),                     // SQLITE_ABORT_ROLLBACK
    Code(517, Conflict, Retry::Yes, StillOpen, Nothing),                             // SQLITE_BUSY_SNAPSHOT
    Code(518, LockTimeout, Retry::Yes, StillOpen, Nothing),                          // SQLITE_LOCKED_VTAB
    // The commit hook turned a COMMIT that was not ours into a rollback.
    Code(531, Programming, Retry::Never, RolledBack, Transaction),                   // SQLITE_CONSTRAINT_COMMITHOOK
    Code(773, Conflict, Retry::Yes, StillOpen, Nothing),                             // SQLITE_BUSY_TIMEOUT
    Code(787, Category::Integrity(ForeignKey), Retry::Never, StillOpen, Nothing),    // SQLITE_CONSTRAINT_FOREIGNKEY
    Code(1299, Category::Integrity(NotNull), Retry::Never, StillOpen, Nothing),      // SQLITE_CONSTRAINT_NOTNULL
    Code(1555, Category::Integrity(Unique), Retry::Never, StillOpen, Nothing),       // SQLITE_CONSTRAINT_PRIMARYKEY
    Code(1811, Category::Integrity(Check), Retry::Never, StillOpen, Nothing),        // SQLITE_CONSTRAINT_TRIGGER
    Code(2067, Category::Integrity(Unique), Retry::Never, StillOpen, Nothing),       // SQLITE_CONSTRAINT_UNIQUE
    Code(2323, Category::Integrity(Check), Retry::Never, StillOpen, Nothing),        // SQLITE_CONSTRAINT_VTAB
    Code(2579, Category::Integrity(Unique), Retry::Never, StillOpen, Nothing),       // SQLITE_CONSTRAINT_ROWID
    Code(2835, Category::Integrity(Check), Retry::Never, StillOpen, Nothing),        // SQLITE_CONSTRAINT_PINNED
    Code(3091, Data, Retry::Never, StillOpen, Nothing),                              // SQLITE_CONSTRAINT_DATATYPE
];

/// The lines of the table: code, and category.
pub fn lines() -> impl Iterator<Item = (String, Category)> {
    CODES.iter().map(|row| (row.0.to_string(), row.1))
}

/// The extended code, which the driver gives as text.
pub(super) fn extended_code(error: &dyn DatabaseError) -> u32 {
    error
        .code()
        .and_then(|code| code.parse().ok())
        .unwrap_or_default()
}

pub(super) fn verdict(extended: u32) -> Verdict {
    let line = |code: u32| {
        CODES
            .binary_search_by_key(&code, |row| row.0)
            .map(|found| &CODES[found])
    };
    match line(extended).or_else(|_| line(extended & 0xff)) {
        Ok(&Code(_, category, retry, at_commit, ends)) => Verdict {
            category,
            retry,
            at_commit,
            ends,
        },
        Err(_) => Verdict {
            category: Internal,
            retry: Retry::Never,
            at_commit: StillOpen,
            ends: Nothing,
        },
    }
}

/// Reads what `SQLite` says in words alone; it speaks English only.
pub(super) fn facts(extended: u32, message: &str) -> Facts<'_> {
    let mut facts = Facts {
        code: Some(Cow::Owned(extended.to_string())),
        words: file::words(extended),
        ..Facts::default()
    };
    let Some((rule, named)) = message.split_once(" constraint failed: ") else {
        return facts;
    };
    match (rule, named.strip_prefix("index ")) {
        ("CHECK", _) => facts.constraint = Some(named),
        ("UNIQUE", Some(index)) => facts.constraint = Some(index.trim_matches('\'')),
        ("UNIQUE" | "NOT NULL", _) => (facts.table, facts.column) = columns(named),
        _ => {}
    }
    facts
}

/// Splits `users.email, users.tenant` into `users` and `email, tenant`.
fn columns(named: &str) -> (Option<&str>, Option<Cow<'_, str>>) {
    let Some((table, first)) = named.split_once('.') else {
        return (None, None);
    };
    if !first.contains(", ") {
        return (Some(table), Some(Cow::Borrowed(first)));
    }
    let bare = named.split(", ").map(|one| {
        one.strip_prefix(table)
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(one)
    });
    (
        Some(table),
        Some(Cow::Owned(bare.collect::<Vec<_>>().join(", "))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(CODES.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[rustfmt::skip]
    const DESIGNED: &[(u32, Category, Retry, AtCommit)] = &[
        (5, Conflict, Retry::Yes, StillOpen),
        (261, Conflict, Retry::Yes, StillOpen),
        (773, Conflict, Retry::Yes, StillOpen),
        (517, Conflict, Retry::Yes, StillOpen),
        (6, Programming, Retry::Never, StillOpen),
        (262, LockTimeout, Retry::Yes, StillOpen),
        (518, LockTimeout, Retry::Yes, StillOpen),
        (9, Cancelled, Retry::Never, StillOpen),
        (7, Resource, Retry::Never, StillOpen),
        (10, Resource, Retry::Never, Unknown),
        (13, Resource, Retry::Never, StillOpen),
        (8, ReadOnly, Retry::Never, StillOpen),
        (11, Resource, Retry::Never, StillOpen),
        (14, Resource, Retry::Never, StillOpen),
        (26, Resource, Retry::Never, StillOpen),
        (1555, Category::Integrity(Unique), Retry::Never, StillOpen),
        (2067, Category::Integrity(Unique), Retry::Never, StillOpen),
        (787, Category::Integrity(ForeignKey), Retry::Never, StillOpen),
        (1299, Category::Integrity(NotNull), Retry::Never, StillOpen),
        (275, Category::Integrity(Check), Retry::Never, StillOpen),
        (531, Programming, Retry::Never, RolledBack),
        // What cannot be provoked; tests/codes/sqlite.rs has the reasons.
        (2, Internal, Retry::Never, StillOpen),
        (3, Access, Retry::Never, StillOpen),
        (4, Cancelled, Retry::Never, StillOpen),
        (12, Programming, Retry::Never, StillOpen),
        (15, Conflict, Retry::Yes, StillOpen),
        (17, Conflict, Retry::Once, StillOpen),
        (21, Internal, Retry::Never, StillOpen),
        (22, Resource, Retry::Never, StillOpen),
        (23, Access, Retry::Never, StillOpen),
        (25, Programming, Retry::Never, StillOpen),
        (516, Cancelled, Retry::Never, RolledBack),
        (2323, Category::Integrity(Check), Retry::Never, StillOpen),
        (2835, Category::Integrity(Check), Retry::Never, StillOpen),
    ];

    #[test]
    fn every_designed_code_is_judged_as_designed() {
        for &(code, category, retry, at_commit) in DESIGNED {
            let verdict = verdict(code);
            assert_eq!(
                (verdict.category, verdict.retry, verdict.at_commit),
                (category, retry, at_commit),
                "{code}"
            );
            assert_eq!(
                verdict.ends,
                if matches!(code, 516 | 531) {
                    Transaction
                } else {
                    Nothing
                },
                "{code}"
            );
        }
    }

    #[test]
    fn an_extended_code_without_a_line_is_judged_by_its_primary_code() {
        assert_eq!(verdict(1544).category, ReadOnly);
        assert_eq!(verdict(778).at_commit, Unknown);
        assert_eq!(verdict(0).category, Internal);
        assert_eq!(verdict(u32::MAX).category, Internal);
    }

    #[test]
    fn names_are_read_from_messages() {
        let one = facts(2067, "UNIQUE constraint failed: users.email");
        assert_eq!(
            (one.table, one.column.as_deref(), one.constraint),
            (Some("users"), Some("email"), None)
        );
        assert_eq!(one.code.as_deref(), Some("2067"));

        let two = facts(1555, "UNIQUE constraint failed: users.email, users.tenant");
        assert_eq!(
            (two.table, two.column.as_deref()),
            (Some("users"), Some("email, tenant"))
        );

        let expression = facts(2067, "UNIQUE constraint failed: index 'users_lower_email'");
        assert_eq!(
            (expression.constraint, expression.table),
            (Some("users_lower_email"), None)
        );

        let null = facts(1299, "NOT NULL constraint failed: users.email");
        assert_eq!(
            (null.table, null.column.as_deref()),
            (Some("users"), Some("email"))
        );

        assert_eq!(
            facts(275, "CHECK constraint failed: cents_positive").constraint,
            Some("cents_positive")
        );

        let foreign = facts(787, "FOREIGN KEY constraint failed");
        assert!(
            foreign.constraint.is_none() && foreign.table.is_none() && foreign.column.is_none()
        );
    }

    #[test]
    fn a_message_of_another_shape_names_nothing() {
        for message in [
            "",
            "UNIQUE constraint failed: ",
            "UNIQUE constraint failed: users",
            "nonsense",
        ] {
            let facts = facts(2067, message);
            assert!(
                facts.constraint.is_none() && facts.table.is_none() && facts.column.is_none(),
                "{message}"
            );
        }
    }
}
