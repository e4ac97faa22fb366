//! What stands behind the thin pointer of an `Error`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use super::attempts::AttemptError;
use super::category::Category;
use super::outcome::{Outcome, Phase};
use super::summary::Summary;
use super::verdict::Retry;
use super::wording::Words;
use crate::ledger::Token;

/// The truth of an error, and the first link of its `source()` chain.
///
/// A `transparent` wrapper shows the source of what it wraps in place of the wrapped error itself. So the truth has to
/// be found one link further down than a reader of the chain would look for it.
pub(crate) struct Node {
    pub(super) category: Category,
    pub(super) phase: Phase,
    pub(super) outcome: Outcome,
    /// It is the driver's word alone that a statement may have been applied: no session has told yet what became of the
    /// work.
    pub(super) is_unjudged: bool,
    pub(super) retry: Retry,
    pub(super) operation: Option<&'static str>,
    pub(super) attempts: Vec<AttemptError>,
    pub(super) message: Option<Cow<'static, str>>,
    pub(super) help: Option<Cow<'static, str>>,
    /// What the database said, or what the first error of a doomed session was.
    pub(super) summary: Option<Summary>,
    /// Whether `summary` is of an earlier error, which this one only repeats.
    pub(super) doomed: bool,
    pub(super) cause: Option<Cause>,
    /// What the ledger knows the commits by that are in doubt; empty where it does not know them all.
    pub(super) tokens: Vec<Token>,
}

pub(super) enum Cause {
    Driver(sqlx::Error),
    Other(Box<dyn StdError + Send + Sync>),
}

impl Cause {
    pub(super) fn as_error(&self) -> &(dyn StdError + 'static) {
        match self {
            Cause::Driver(error) => error,
            Cause::Other(error) => error.as_ref(),
        }
    }
}

impl Node {
    /// What the code says more exactly than the category does.
    pub(super) fn words(&self) -> Option<&'static Words> {
        self.summary.as_ref()?.words(self.category)
    }

    pub(super) fn is_retryable(&self) -> bool {
        self.retry != Retry::Never && matches!(self.outcome, Outcome::NotSent | Outcome::RolledBack)
    }

    /// Whether another attempt makes sense, all that is known considered.
    pub(super) fn retry(&self) -> Retry {
        if self.is_retryable() {
            self.retry
        } else {
            Retry::Never
        }
    }

    /// The error of the driver that it is about.
    pub(super) fn driver(&self) -> Option<&sqlx::Error> {
        match &self.cause {
            Some(Cause::Driver(error)) => Some(error),
            Some(Cause::Other(_)) | None => None,
        }
    }

    /// All that it tells, for an error that has this one as its cause.
    pub(super) fn told_again(&self) -> Node {
        Node {
            category: self.category,
            phase: self.phase,
            outcome: self.outcome,
            is_unjudged: self.is_unjudged,
            retry: self.retry,
            operation: self.operation,
            attempts: self.attempts.clone(),
            message: self.message.clone(),
            help: self.help.clone(),
            summary: self.summary.clone(),
            doomed: self.doomed,
            cause: None,
            tokens: self.tokens.clone(),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "category {}, phase {}, outcome {}",
            self.category, self.phase, self.outcome
        )?;
        match self.summary.as_ref().and_then(Summary::code) {
            Some(code) => write!(formatter, ", code {code}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The driver's own Debug shows the detail line, which repeats the values of the row.
        formatter
            .debug_struct("Error")
            .field("category", &self.category)
            .field("phase", &self.phase)
            .field("outcome", &self.outcome)
            .field("retryable", &self.is_retryable())
            .field("code", &self.summary.as_ref().and_then(Summary::code))
            .field("operation", &self.operation)
            .field("attempts", &self.attempts)
            .field("message", &super::display::Said(self).to_string())
            .finish_non_exhaustive()
    }
}

impl StdError for Node {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(Cause::as_error)
    }
}
