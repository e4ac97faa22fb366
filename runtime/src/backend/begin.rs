//! What a session asks of its server when it opens.

use std::time::Duration;

use crate::isolation::Isolation;

/// How a session's transaction is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin {
    pub(crate) access: Access,
    pub(crate) isolation: Option<Isolation>,
    /// What is left of the deadline when BEGIN is sent: the server's own limit for each statement.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(
            dead_code,
            reason = "SQLite runs in this process, where the deadline itself stops it"
        )
    )]
    pub(crate) limit: Option<Duration>,
    /// How long a statement may wait for a lock.
    pub(crate) lock_timeout: Option<Duration>,
    /// How long a statement may take.
    pub(crate) statement_timeout: Option<Duration>,
    /// Whose it is, for those who look at the server.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only `PostgreSQL` shows it to anybody")
    )]
    pub(crate) owner: Option<Owner>,
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl Begin {
    /// Whether a function of an earlier session, which nobody has seen, may have changed what is asked for here: what
    /// travels with BEGIN is then said again, for that costs no round trip.
    pub(crate) fn limits_statements_anew(&self) -> bool {
        self.access != Access::Autocommit
            && (self.statement_timeout.is_some() || self.limit.is_some())
    }

    /// The same for waits.
    pub(crate) fn limits_waits_anew(&self) -> bool {
        self.access != Access::Autocommit && self.lock_timeout.is_some()
    }
}

/// The call that a session belongs to.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only `PostgreSQL` shows it to anybody")
)]
pub(crate) struct Owner {
    pub(crate) operation: &'static str,
    pub(crate) id: u64,
}

/// What a session may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Write,
    Read,
    /// No transaction at all: the server commits each statement by itself.
    Autocommit,
}
