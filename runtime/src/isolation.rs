//! How far a transaction is kept apart from the others.

use std::fmt;

/// How far a session's transaction is kept apart from the others, from the weakest to the strictest.
///
/// It travels with BEGIN and costs no round trip. Without one, the server's default holds. `SQLite` is always
/// serializable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// The work has the effect it would have alone. What cannot be brought into line fails as
    /// [`Conflict`](crate::error::Category::Conflict), so it wants `#[retry]`.
    Serializable,
}

impl Isolation {
    /// The word for this level in the attribute and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::RepeatableRead => "repeatable_read",
            Self::Serializable => "serializable",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_level_is_the_greater() {
        assert!(Isolation::ReadCommitted < Isolation::RepeatableRead);
        assert!(Isolation::RepeatableRead < Isolation::Serializable);
    }
}
