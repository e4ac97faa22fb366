//! How far a call has come when its server falls silent.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has no connection yet, or asks one that was idle whether it lives.
    Acquire,
    Begin,
    Statement,
    /// It has read a part of a result.
    Stream,
    /// It is in a nested call.
    Nested,
    Commit,
    Rollback,
    /// Its caller goes away then.
    Dropped,
}

impl Phase {
    pub(super) const ALL: [Self; 8] = [
        Self::Acquire,
        Self::Begin,
        Self::Statement,
        Self::Stream,
        Self::Nested,
        Self::Commit,
        Self::Rollback,
        Self::Dropped,
    ];

    /// The name of its figure.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acquire => "at acquire",
            Self::Begin => "at BEGIN",
            Self::Statement => "in a statement",
            Self::Stream => "in a stream",
            Self::Nested => "in a nested call",
            Self::Commit => "at COMMIT",
            Self::Rollback => "at ROLLBACK",
            Self::Dropped => "dropped",
        }
    }

    /// Whether the call only begins when all is silent.
    pub(super) fn comes_after(self) -> bool {
        matches!(self, Self::Acquire | Self::Begin)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
