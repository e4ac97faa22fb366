//! What `#[with_session]` was told.

use std::time::Duration;

use crate::isolation::Isolation;

/// The options of an operation's sessions.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    isolation: Option<Isolation>,
    read_only: bool,
    timeout: Option<Duration>,
}

impl Options {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            isolation: None,
            read_only: false,
            timeout: None,
        }
    }

    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    #[must_use]
    pub const fn timeout(mut self, millis: u64) -> Self {
        self.timeout = Some(Duration::from_millis(millis));
        self
    }

    pub(crate) const fn isolation_level(&self) -> Option<Isolation> {
        self.isolation
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) const fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }
}
