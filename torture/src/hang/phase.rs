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
    /// The caller of a statement without a session goes away then.
    Pool,
    /// Whoever has a connection to himself goes away then, in a transaction that he has begun.
    Lease,
}

impl Phase {
    pub(super) const ALL: [Self; 10] = [
        Self::Acquire,
        Self::Begin,
        Self::Statement,
        Self::Stream,
        Self::Nested,
        Self::Commit,
        Self::Rollback,
        Self::Dropped,
        Self::Pool,
        Self::Lease,
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
            Self::Pool => "dropped on the pool",
            Self::Lease => "dropped with a lease",
        }
    }

    /// Whether the call only begins when all is silent.
    pub(super) fn comes_after(self) -> bool {
        matches!(self, Self::Acquire | Self::Begin)
    }

    /// Whether its caller goes away while it is silent: nobody is told anything.
    pub(super) fn is_given_up(self) -> bool {
        matches!(self, Self::Dropped | Self::Pool | Self::Lease)
    }

    /// Whether it runs in a session.
    pub(super) fn has_session(self) -> bool {
        !matches!(self, Self::Pool | Self::Lease)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
