//! What became of the work, and where in a session's life an error arose.

use std::fmt;

/// What became of the work of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// COMMIT was never sent, so nothing can have been committed.
    ///
    /// Whether the server has already undone the work was not proven: it does so at the latest when the
    /// connection closes.
    NotSent,
    /// The work is proven to be undone.
    RolledBack,
    /// The work is committed.
    Committed,
    /// COMMIT was sent and its answer never came, or leaves doubt: the work is there as a whole or not at all.
    Unknown,
}

/// Where in a session's life an error arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// While a connection was fetched from the pool.
    Acquire,
    /// While the transaction was opened.
    Begin,
    /// In the body: a statement, or the code around it.
    Body,
    /// While the work was committed.
    Commit,
    /// While the work was undone.
    Rollback,
}

impl Outcome {
    /// What two attempts of one call came to: what either has left, or may have, is there.
    #[doc(hidden)]
    #[must_use]
    pub fn beside(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            (Outcome::Committed, _) | (_, Outcome::Committed) => Outcome::Committed,
            (outcome, _) => outcome,
        }
    }

    /// The word for this outcome in logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::NotSent => "not_sent",
            Outcome::RolledBack => "rolled_back",
            Outcome::Committed => "committed",
            Outcome::Unknown => "unknown",
        }
    }
}

impl Phase {
    /// The word for this phase in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Acquire => "acquire",
            Phase::Begin => "begin",
            Phase::Body => "body",
            Phase::Commit => "commit",
            Phase::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
