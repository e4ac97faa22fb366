//! What a managed closure was asked to be.

use std::time::Duration;

use crate::backend::{Access, Backend, Dialect};
use crate::error::{Category, Error, Phase};
use crate::isolation::Isolation;
use crate::operation::{Nested, Options};
use crate::retry::RetryPolicy;

/// The options as they were called for, contradictions included.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) isolation: Option<Isolation>,
    pub(super) read_only: bool,
    pub(super) autocommit: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) lock_timeout: Option<Duration>,
    pub(super) statement_timeout: Option<Duration>,
}

impl Asked {
    /// The options, should nothing contradict.
    pub(super) fn options(&self) -> Options {
        Options {
            isolation: self.isolation,
            access: if self.autocommit {
                Access::Autocommit
            } else if self.read_only {
                Access::Read
            } else {
                Access::Write
            },
            nested: Nested::default(),
            timeout: self.timeout,
            lock_timeout: self.lock_timeout,
            statement_timeout: self.statement_timeout,
        }
    }

    /// Why these options cannot all be had.
    pub(super) fn contradiction<DB: Backend>(&self, policy: Option<RetryPolicy>) -> Option<Error> {
        let limits = [
            ("timeout", self.timeout),
            ("lock_timeout", self.lock_timeout),
            ("statement_timeout", self.statement_timeout),
        ];
        for (name, limit) in limits {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Some(refused(
                    format!("a `{name}` of 0 leaves no time at all"),
                    "give it some time, or remove it",
                ));
            }
        }
        for (longer, shorter) in [(0, 1), (0, 2), (2, 1)] {
            let ((name, limit), (other, of)) = (limits[longer], limits[shorter]);
            if let (Some(limit), Some(of)) = (limit, of)
                && of > limit
            {
                return Some(refused(
                    format!(
                        "`{other}` of {of:?} is longer than `{name}` of {limit:?}, which ends first"
                    ),
                    "lower the one or raise the other",
                ));
            }
        }
        if let (Some(limit), Some(within)) =
            (self.timeout, policy.and_then(|policy| policy.time_limit()))
            && within > limit
        {
            return Some(refused(
                format!(
                    "`within` of {within:?} is longer than `timeout` of {limit:?}, which ends all attempts"
                ),
                "lower the one or raise the other",
            ));
        }
        if DB::DIALECT == Dialect::Sqlite
            && let Some(level) = self
                .isolation
                .filter(|&level| level < Isolation::Serializable)
        {
            return Some(refused(
                format!(
                    "SQLite has no isolation level as weak as `{level}`: it is always serializable"
                ),
                "remove `isolation`, or ask for `Isolation::Serializable`",
            ));
        }
        let unknown = policy.map(|policy| policy.unknown()).unwrap_or_default();
        if unknown.repeat && policy.is_some_and(|policy| policy.max_attempts() == 1) {
            return Some(refused(
                "`idempotent` is about a second attempt, and this policy makes one alone",
                "let it make more, or take the word away",
            ));
        }
        if self.autocommit {
            if self.isolation.is_some() {
                return Some(refused(
                    "`isolation` is about a transaction, and an `autocommit` session has none",
                    "remove the one or the other",
                ));
            }
            if self.read_only {
                return Some(refused(
                    "`read_only` is about a transaction, and an `autocommit` session has none",
                    "remove the one or the other",
                ));
            }
            if unknown.verify {
                return Some(refused(
                    "`verify_commit` is about a COMMIT, and an `autocommit` session sends none",
                    "remove the one or the other",
                ));
            }
            if policy.is_some_and(|policy| policy.max_attempts() > 1) && !unknown.repeat {
                return Some(refused(
                    "without a transaction a second attempt repeats what the first one did",
                    "make the policy `idempotent()` if that is safe, or remove `autocommit`",
                ));
            }
        }
        if self.read_only && unknown.verify {
            return Some(refused(
                "a `read_only` session has no work whose COMMIT `verify_commit` could look for",
                "remove the one or the other",
            ));
        }
        None
    }
}

fn refused(message: impl Into<String>, help: &'static str) -> Error {
    Error::new(Category::Programming, Phase::Begin, message.into()).with_help(help)
}
