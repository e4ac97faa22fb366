//! What kind of failure an error is.

use std::fmt;

/// What kind of failure a database error is, the same words for every database.
///
/// The snake case form of a category ([`as_str`](Category::as_str)) is also the word that `#[retry(on(…))]`
/// and the arms of `#[db_error_handling]` use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// The database undid the work to let another transaction pass: a deadlock or a serialization failure.
    Conflict,
    /// The connection to the server was lost or never came to be.
    Connection,
    /// No connection was free in time, or the server takes no more of them.
    Capacity,
    /// A lock was not granted in time.
    LockTimeout,
    /// The work breaks a constraint of the schema.
    Integrity(Integrity),
    /// The code or the schema is wrong: a syntax error, a missing table, a refused statement.
    Programming,
    /// A value does not fit: out of range, too long, not convertible.
    Data,
    /// A row was required and there is none.
    NotFound,
    /// One row was required and there are more.
    TooManyRows,
    /// The user may not do this, or may not log in.
    Access,
    /// The server ran out of something: disk, memory, temporary files.
    Resource,
    /// A time limit passed.
    Timeout,
    /// Somebody cancelled the work.
    Cancelled,
    /// The server takes no writes.
    ReadOnly,
    /// Every connection is held by a session that itself waits for one.
    PoolDeadlock,
    /// The database itself cannot say whether a commit was applied.
    CommitUnknown,
    /// The pool is closing.
    Closed,
    /// Something that should not happen; please report it.
    Internal,
}

/// Which kind of constraint an [`Integrity`](Category::Integrity) error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Integrity {
    /// A unique index or a primary key has this value already.
    Unique,
    /// A row that is referred to does not exist, or is still referred to.
    ForeignKey,
    /// A required value is missing.
    NotNull,
    /// A check constraint refuses the value.
    Check,
    /// An exclusion constraint finds an overlapping row (`PostgreSQL`).
    Exclusion,
}

/// The families of [`Category`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// Transient failures: the same work may succeed next time.
    Retryable,
    /// The schema's constraints refused the work.
    Integrity,
    /// The code, the schema or the values are wrong.
    Programming,
    /// A query found fewer or more rows than were required.
    Query,
    /// Everything else.
    Other,
}

impl Category {
    /// Every category, in the order of [`index`](Category::index).
    pub const ALL: [Category; 22] = [
        Category::Conflict,
        Category::Connection,
        Category::Capacity,
        Category::LockTimeout,
        Category::Integrity(Integrity::Unique),
        Category::Integrity(Integrity::ForeignKey),
        Category::Integrity(Integrity::NotNull),
        Category::Integrity(Integrity::Check),
        Category::Integrity(Integrity::Exclusion),
        Category::Programming,
        Category::Data,
        Category::NotFound,
        Category::TooManyRows,
        Category::Access,
        Category::Resource,
        Category::Timeout,
        Category::Cancelled,
        Category::ReadOnly,
        Category::PoolDeadlock,
        Category::CommitUnknown,
        Category::Closed,
        Category::Internal,
    ];

    /// The position of this category in [`ALL`](Category::ALL), for tables of counters.
    pub const fn index(self) -> usize {
        match self {
            Category::Conflict => 0,
            Category::Connection => 1,
            Category::Capacity => 2,
            Category::LockTimeout => 3,
            Category::Integrity(Integrity::Unique) => 4,
            Category::Integrity(Integrity::ForeignKey) => 5,
            Category::Integrity(Integrity::NotNull) => 6,
            Category::Integrity(Integrity::Check) => 7,
            Category::Integrity(Integrity::Exclusion) => 8,
            Category::Programming => 9,
            Category::Data => 10,
            Category::NotFound => 11,
            Category::TooManyRows => 12,
            Category::Access => 13,
            Category::Resource => 14,
            Category::Timeout => 15,
            Category::Cancelled => 16,
            Category::ReadOnly => 17,
            Category::PoolDeadlock => 18,
            Category::CommitUnknown => 19,
            Category::Closed => 20,
            Category::Internal => 21,
        }
    }

    /// The word for this category in logs, counters, `on(…)` and arms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Category::Conflict => "conflict",
            Category::Connection => "connection",
            Category::Capacity => "capacity",
            Category::LockTimeout => "lock_timeout",
            Category::Integrity(integrity) => integrity.as_str(),
            Category::Programming => "programming",
            Category::Data => "data",
            Category::NotFound => "not_found",
            Category::TooManyRows => "too_many_rows",
            Category::Access => "access",
            Category::Resource => "resource",
            Category::Timeout => "timeout",
            Category::Cancelled => "cancelled",
            Category::ReadOnly => "read_only",
            Category::PoolDeadlock => "pool_deadlock",
            Category::CommitUnknown => "commit_unknown",
            Category::Closed => "closed",
            Category::Internal => "internal",
        }
    }

    /// The family this category belongs to.
    pub const fn group(self) -> Group {
        match self {
            Category::Conflict
            | Category::Connection
            | Category::Capacity
            | Category::LockTimeout => Group::Retryable,
            Category::Integrity(_) => Group::Integrity,
            Category::Programming | Category::Data => Group::Programming,
            Category::NotFound | Category::TooManyRows => Group::Query,
            _ => Group::Other,
        }
    }

    /// Whether the same work may succeed next time by itself.
    ///
    /// That alone does not make an error worth another attempt: what was sent as COMMIT and never answered is
    /// transient by category and still not retryable. Ask [`Error::is_retryable`](crate::Error::is_retryable).
    pub const fn is_transient(self) -> bool {
        matches!(self.group(), Group::Retryable)
    }
}

impl Integrity {
    /// The word for this kind of constraint.
    pub const fn as_str(self) -> &'static str {
        match self {
            Integrity::Unique => "unique",
            Integrity::ForeignKey => "foreign_key",
            Integrity::NotNull => "not_null",
            Integrity::Check => "check",
            Integrity::Exclusion => "exclusion",
        }
    }
}

impl Group {
    /// The word for this family.
    pub const fn as_str(self) -> &'static str {
        match self {
            Group::Retryable => "retryable",
            Group::Integrity => "integrity",
            Group::Programming => "programming",
            Group::Query => "query",
            Group::Other => "other",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_stands_at_its_index() {
        for (position, category) in Category::ALL.into_iter().enumerate() {
            assert_eq!(category.index(), position, "{category}");
        }
    }

    #[test]
    fn every_category_has_a_word_of_its_own() {
        let mut words: Vec<_> = Category::ALL.into_iter().map(Category::as_str).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Category::ALL.len());
    }

    #[test]
    fn the_transient_ones_are_four() {
        let transient: Vec<_> = Category::ALL
            .into_iter()
            .filter(|category| category.is_transient())
            .collect();
        assert_eq!(
            transient,
            [
                Category::Conflict,
                Category::Connection,
                Category::Capacity,
                Category::LockTimeout
            ]
        );
    }

    #[test]
    fn groups_hold_what_they_say() {
        assert_eq!(Category::Data.group(), Group::Programming);
        assert_eq!(Category::TooManyRows.group(), Group::Query);
        assert_eq!(
            Category::Integrity(Integrity::Check).group(),
            Group::Integrity
        );
        assert_eq!(Category::CommitUnknown.group(), Group::Other);
    }
}
