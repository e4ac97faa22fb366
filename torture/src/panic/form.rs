//! The calls that panic.

use super::fuse::Promise;

/// A call, by what is special in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Retry,
    /// Its arguments panic when an attempt clones them.
    Cloned,
    Nested,
    Joined,
    /// The outer body catches what the inner call throws, and goes on.
    NestedCaught,
    JoinedCaught,
    Savepoint,
    SavepointCaught,
    Closure,
    ClosureRetried,
    Begin,
    /// Between the rows of a stream.
    Rows,
    /// In what makes something of a row: within the poll of the statement.
    Mapped,
    MappedCaught,
    Hooks,
    RollbackHooks,
    /// In the `Drop` of a local, at the end of the body.
    Local,
    LocalOfError,
    /// The same where the deadline drops the body, or its caller.
    LocalTimedOut,
    LocalDropped,
    /// In the methods of the function's error.
    Error,
    ErrorRetried,
    ErrorOfNested,
    ErrorOfJoined,
    /// In the words of an error that comes through the driver.
    Words,
    Autocommit,
    AutocommitRows,
    /// On a connection that the session lends.
    Lent,
    Acquired,
    /// In a function that declares sqlx's own connection.
    Connection,
    Lease,
    LeaseRows,
    Pool,
    PoolRows,
    PoolMapped,
    /// In the closure that makes connections ready.
    AfterConnect,
}

impl Form {
    pub(super) const ALL: [Self; 37] = [
        Self::Plain,
        Self::Retry,
        Self::Cloned,
        Self::Nested,
        Self::Joined,
        Self::NestedCaught,
        Self::JoinedCaught,
        Self::Savepoint,
        Self::SavepointCaught,
        Self::Closure,
        Self::ClosureRetried,
        Self::Begin,
        Self::Rows,
        Self::Mapped,
        Self::MappedCaught,
        Self::Hooks,
        Self::RollbackHooks,
        Self::Local,
        Self::LocalOfError,
        Self::LocalTimedOut,
        Self::LocalDropped,
        Self::Error,
        Self::ErrorRetried,
        Self::ErrorOfNested,
        Self::ErrorOfJoined,
        Self::Words,
        Self::Autocommit,
        Self::AutocommitRows,
        Self::Lent,
        Self::Acquired,
        Self::Connection,
        Self::Lease,
        Self::LeaseRows,
        Self::Pool,
        Self::PoolRows,
        Self::PoolMapped,
        Self::AfterConnect,
    ];

    /// What it comes to without a panic.
    pub(super) fn whole(self) -> Promise {
        match self {
            Self::RollbackHooks
            | Self::LocalOfError
            | Self::LocalTimedOut
            | Self::LocalDropped
            | Self::Error
            | Self::ErrorOfJoined
            | Self::Words => Promise::ERROR,
            Self::Nested | Self::Joined | Self::NestedCaught | Self::JoinedCaught => {
                Promise::value(&[1, 2, 3])
            }
            Self::Savepoint | Self::SavepointCaught => Promise::value(&[1, 2, 3]),
            Self::ErrorRetried | Self::ErrorOfNested => Promise::value(&[1]),
            _ => Promise::value(&[1, 2]),
        }
    }

    /// Whether its session is over when its caller has the answer, and not only soon.
    pub(super) fn ends_with_its_answer(self) -> bool {
        !matches!(
            self,
            Self::Begin
                | Self::LocalDropped
                | Self::Lease
                | Self::LeaseRows
                | Self::Pool
                | Self::PoolRows
                | Self::PoolMapped
        )
    }

    /// Whether a hook that behaves waits behind those that do not.
    pub(super) fn has_hooks(self) -> bool {
        matches!(self, Self::Hooks | Self::RollbackHooks)
    }
}
