//! What `#[with_session]`, or a named operation, was told.

use std::time::Duration;

use crate::backend::{Access, Begin};
use crate::isolation::Isolation;

/// The options of an operation's sessions.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) access: Access,
    pub(crate) nested: Nested,
    pub(crate) timeout: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
}

/// What a function does with a caller's session.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nested {
    /// It runs in a savepoint.
    #[default]
    Savepoint,
    /// It runs as a part of the caller's own work: an `Err` dooms the whole.
    Join,
    /// It refuses to run.
    Never,
}

impl Options {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            isolation: None,
            access: Access::Write,
            nested: Nested::Savepoint,
            timeout: None,
            lock_timeout: None,
            statement_timeout: None,
        }
    }

    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.access = Access::Read;
        self
    }

    #[must_use]
    pub const fn autocommit(mut self) -> Self {
        self.access = Access::Autocommit;
        self
    }

    #[must_use]
    pub const fn nested(mut self, nested: Nested) -> Self {
        self.nested = nested;
        self
    }

    #[must_use]
    pub const fn timeout(mut self, millis: u64) -> Self {
        self.timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn lock_timeout(mut self, millis: u64) -> Self {
        self.lock_timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn statement_timeout(mut self, millis: u64) -> Self {
        self.statement_timeout = Some(Duration::from_millis(millis));
        self
    }

    /// How its transaction is opened.
    pub(crate) const fn begin(&self) -> Begin {
        Begin {
            access: self.access,
            isolation: self.isolation,
            limit: None,
            lock_timeout: self.lock_timeout,
            statement_timeout: self.statement_timeout,
            owner: None,
        }
    }

    pub(crate) const fn nesting(&self) -> Nested {
        self.nested
    }

    pub(crate) const fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }
}
