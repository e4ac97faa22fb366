//! The error of a session.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use super::attempts::AttemptError;
use super::carried::carried;
use super::category::Category;
use super::fault::{Fault, leaves_doubt};
use super::node::{Cause, Node};
use super::outcome::{Outcome, Phase};
use super::summary::Summary;
use super::verdict::{AtCommit, Retry, verdict};
use super::wording;
use crate::ledger::Token;

/// What failed in a session, whether it may be tried again, and what became of the work.
///
/// One pointer wide. `Display` and `Debug` say what happened and what to do; they may contain what the database said
/// (and so a value), never a password. What may be shown to a user is [`user_message`](Error::user_message).
///
/// [`source`](StdError::source) gives a link that bears category, phase and outcome too, and behind it the cause: an
/// error type that wraps this one with `#[error(transparent)]` is classified just as well.
///
/// ```no_run
/// # fn example(error: steadfast::Error) {
/// use steadfast::Outcome;
///
/// match error.outcome() {
///     Outcome::Unknown => eprintln!("look before it is repeated: {error}"),
///     _ if error.is_retryable() => eprintln!("may succeed next time: {error}"),
///     _ => eprintln!("{error}; to the user: {}", error.user_message()),
/// }
/// # }
/// ```
///
/// It converts from and into [`sqlx::Error`], in which it travels as `AnyDriverError`, so functions that return
/// `sqlx::Result` can be managed too.
pub struct Error(Box<Node>);

impl Error {
    /// What kind of failure this is.
    pub fn category(&self) -> Category {
        self.0.category
    }

    /// Where in the session's life it arose.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// What became of the work.
    ///
    /// While the session is open still, as for an error inside the body, this is [`Outcome::NotSent`]: the end of the
    /// session decides. Where no session has told, and the connection was lost behind a statement, it is
    /// [`Outcome::Unknown`]: the server may have applied it.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether the same work, from the start and in a new session, may succeed, and is certain not to be there already.
    ///
    /// Always `false` for [`Outcome::Unknown`] and [`Outcome::Committed`].
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable()
    }

    /// The code of the database: the SQLSTATE of `PostgreSQL`, the error number of `MySQL` and `MariaDB`, the extended
    /// result code of `SQLite`.
    pub fn code(&self) -> Option<&str> {
        self.summary().and_then(Summary::code)
    }

    /// The constraint that was violated, where the database names it.
    ///
    /// `SQLite` names check constraints and indexes on expressions alone; there ask for [`table`](Error::table) and
    /// [`column`](Error::column).
    pub fn constraint(&self) -> Option<&str> {
        self.summary().and_then(Summary::constraint)
    }

    /// The table the error is about, where the database names it.
    pub fn table(&self) -> Option<&str> {
        self.summary().and_then(Summary::table)
    }

    /// The column the error is about, where the database names it; several are separated by `, `.
    pub fn column(&self) -> Option<&str> {
        self.summary().and_then(Summary::column)
    }

    /// The operation whose call failed; `None` until the error has left it.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// What failed in each attempt of the call, in order; empty where nothing was retried.
    pub fn attempts(&self) -> &[AttemptError] {
        &self.0.attempts
    }

    /// One friendly sentence that may be shown to anybody: it contains no SQL, no name of the schema and no value.
    pub fn user_message(&self) -> &'static str {
        wording::user_message(self.0.category, self.0.outcome, self.0.words())
    }

    /// The error of the driver, where there is one.
    pub fn as_sqlx(&self) -> Option<&sqlx::Error> {
        match &self.0.cause {
            Some(Cause::Driver(error)) => Some(error),
            Some(Cause::Other(error)) => error.downcast_ref(),
            None => None,
        }
    }
}

impl Error {
    /// An error of ours. The message says in lower case what happened and what to do.
    pub(crate) fn new(
        category: Category,
        phase: Phase,
        message: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error(Box::new(Node {
            message: Some(message.into()),
            ..Error::node(category, phase)
        }))
    }

    /// An error of the driver. One of ours that travelled through the driver comes out as it went in.
    pub(crate) fn from_driver(error: sqlx::Error, phase: Phase) -> Error {
        let error = match error {
            sqlx::Error::AnyDriverError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => return *ours,
                Err(inner) => sqlx::Error::AnyDriverError(inner),
            },
            other => other,
        };
        if let Some(mut node) = carried(&error).map(Node::told_again) {
            node.cause = Some(Cause::Driver(error));
            return Error(Box::new(node));
        }
        let judged = verdict(&error);
        let is_unjudged = phase == Phase::Body && leaves_doubt(&error);
        let outcome = match (phase, judged.at_commit) {
            (Phase::Commit, AtCommit::RolledBack) => Outcome::RolledBack,
            (Phase::Commit, AtCommit::Unknown) => Outcome::Unknown,
            _ if is_unjudged => Outcome::Unknown,
            _ => Outcome::NotSent,
        };
        Error(Box::new(Node {
            outcome,
            is_unjudged,
            retry: judged.retry,
            summary: Some(Summary::of(&error)),
            cause: Some(Cause::Driver(error)),
            ..Error::node(judged.category, phase)
        }))
    }

    /// What a statement answers that we have stopped because it took longer than its session allows.
    pub(crate) fn overran(error: sqlx::Error) -> Error {
        Error::from_driver(error, Phase::Body).with_category(Category::Timeout)
    }

    /// What a session answers that can only be rolled back: the category of its first error, and its words.
    pub(crate) fn doomed(first: &Summary, phase: Phase) -> Error {
        Error(Box::new(Node {
            outcome: Outcome::NotSent,
            retry: first.retry(),
            summary: Some(first.clone()),
            doomed: true,
            ..Error::node(first.category(), phase)
        }))
    }

    /// What a fault says that cannot be reached to be told anything.
    pub(super) fn standing_for(fault: &Fault<'_>) -> Error {
        if let Some(node) = fault.node() {
            return Error(Box::new(node.told_again()));
        }
        Error(Box::new(Node {
            retry: fault.retry(),
            summary: Some(Summary::of_fault(fault)),
            ..Error::node(fault.category(), Phase::Body)
        }))
    }

    fn node(category: Category, phase: Phase) -> Node {
        Node {
            category,
            phase,
            outcome: if category == Category::CommitUnknown {
                Outcome::Unknown
            } else {
                Outcome::NotSent
            },
            is_unjudged: false,
            retry: Retry::of(category),
            operation: None,
            attempts: Vec::new(),
            message: None,
            help: None,
            summary: None,
            doomed: false,
            cause: None,
            tokens: Vec::new(),
        }
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Error {
        self.set_outcome(outcome);
        self
    }

    /// Another category, and what it means for retry.
    pub(crate) fn with_category(mut self, category: Category) -> Error {
        self.0.category = category;
        self.0.retry = Retry::of(category);
        self
    }

    /// The cause. What an error of the driver names is taken over from it.
    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Error {
        self.0.cause = Some(match source.into().downcast::<sqlx::Error>() {
            Ok(driver) => {
                if self.0.summary.is_none() {
                    self.0.summary = Some(Summary::of(&driver));
                }
                Cause::Driver(*driver)
            }
            Err(other) => Cause::Other(other),
        });
        self
    }

    /// What to do, in place of the category's own advice.
    pub(crate) fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// The ledger can be asked about it.
    pub(crate) fn with_token(mut self, token: Option<Token>) -> Error {
        self.0.tokens = token.into_iter().collect();
        self
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.0.tokens
    }

    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.0.outcome = outcome;
        self.0.is_unjudged = false;
    }

    pub(crate) fn set_category(&mut self, category: Category) {
        self.0.category = category;
        self.0.retry = Retry::of(category);
    }

    pub(crate) fn set_help(&mut self, help: &'static str) {
        self.0.help = Some(help.into());
    }

    pub(crate) fn set_operation(&mut self, operation: &'static str) {
        self.0.operation = Some(operation);
    }

    /// What one attempt has left, or may have, is there, whatever those behind it came to.
    pub(crate) fn set_attempts(&mut self, attempts: Vec<AttemptError>) {
        let outcomes = attempts.iter().map(AttemptError::outcome);
        self.0.outcome = outcomes.fold(self.0.outcome, Outcome::beside);
        if self.0.outcome == Outcome::Unknown {
            let in_doubt = attempts
                .iter()
                .filter(|attempt| attempt.outcome() == Outcome::Unknown);
            let tokens: Vec<&[Token]> = in_doubt.map(AttemptError::tokens).collect();
            let is_partly_there = attempts
                .iter()
                .any(|attempt| attempt.outcome() == Outcome::Committed);
            self.0.tokens = if is_partly_there || tokens.iter().any(|tokens| tokens.is_empty()) {
                Vec::new()
            } else {
                tokens.concat()
            };
        }
        self.0.attempts = attempts;
    }

    /// Another session's commit is not this call's work: what the ledger knows of it answers for nothing here.
    pub(crate) fn forget_tokens(&mut self) {
        self.0.tokens.clear();
    }

    pub(super) fn node_ref(&self) -> &Node {
        &self.0
    }

    pub(super) fn summary(&self) -> Option<&Summary> {
        self.0.summary.as_ref()
    }

    /// Whether this is an error of the driver in a body and says nothing that the driver's does not.
    fn is_plain(&self) -> bool {
        let node = &self.0;
        let Some(Cause::Driver(driver)) = &node.cause else {
            return false;
        };
        let is_untold = if leaves_doubt(driver) {
            node.is_unjudged
        } else {
            node.outcome == Outcome::NotSent
        };
        is_untold
            && node.phase == Phase::Body
            && node.operation.is_none()
            && node.attempts.is_empty()
            && node.message.is_none()
            && node.help.is_none()
            && node
                .summary
                .as_ref()
                .is_some_and(|said| said.category() == node.category && said.retry() == node.retry)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// Classifies an error of the driver. Where it is one of ours on its way through the driver, that one comes out again.
/// Of any other nobody has told yet what became of the work: its outcome is [`Outcome::Unknown`] where a connection was
/// lost behind a statement, and [`Outcome::NotSent`] otherwise.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        Error::from_driver(error, Phase::Body)
    }
}

impl From<Error> for sqlx::Error {
    fn from(error: Error) -> sqlx::Error {
        if !error.is_plain() {
            return sqlx::Error::AnyDriverError(Box::new(error));
        }
        match error.0.cause {
            Some(Cause::Driver(driver)) => driver,
            Some(Cause::Other(_)) | None => {
                unreachable!("a plain error has the driver's as its cause")
            }
        }
    }
}
