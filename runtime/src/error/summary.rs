//! A record of an error that outlives it.

use std::sync::Arc;

use super::carried::carried;
use super::category::Category;
use super::display::Told;
use super::error::Error;
use super::facts::Facts;
use super::fault::Fault;
use super::node::Node;
use super::verdict::{Retry, verdict};
use super::wording::Words;

/// What a session remembers of its first error: cheap to clone, and it keeps nothing of the driver alive.
#[derive(Debug, Clone)]
pub(crate) struct Summary(Arc<Record>);

#[derive(Debug, Clone)]
struct Record {
    category: Category,
    retry: Retry,
    code: Option<Box<str>>,
    constraint: Option<Box<str>>,
    table: Option<Box<str>>,
    column: Option<Box<str>>,
    message: Box<str>,
    words: Option<&'static Words>,
}

impl Summary {
    /// The record of an error of the driver.
    pub(crate) fn of(error: &sqlx::Error) -> Summary {
        if let Some(ours) = carried(error) {
            return Summary::of_node(ours);
        }
        let judged = verdict(error);
        Summary::from_parts(
            judged.category,
            judged.retry,
            &Facts::of(error),
            &said(error),
        )
    }

    /// The record of an error of ours.
    pub(crate) fn of_error(error: &Error) -> Summary {
        Summary::of_node(error.node_ref())
    }

    fn of_node(node: &Node) -> Summary {
        let said = node.summary.as_ref();
        match said {
            Some(summary)
                if summary.category() == node.category && summary.retry() == node.retry() =>
            {
                summary.clone()
            }
            _ => Summary::from_parts(
                node.category,
                node.retry(),
                &said.map(Summary::facts).unwrap_or_default(),
                &Told(node).to_string(),
            ),
        }
    }

    /// The record of a fault in an error of any type.
    pub(crate) fn of_fault(fault: &Fault<'_>) -> Summary {
        Summary::from_parts(
            fault.category(),
            fault.retry(),
            fault.facts(),
            fault.message(),
        )
    }

    /// What a session remembers of a call that had joined it and did not end well, where nothing more is known.
    pub(crate) fn joined_call_failed() -> Summary {
        Summary::ours(
            Category::Cancelled,
            "a call that had joined the session failed",
        )
    }

    /// What a session remembers whose function ended with another session in its hands.
    pub(crate) fn exchanged() -> Summary {
        Summary::ours(
            Category::Programming,
            "the session was exchanged for another",
        )
    }

    /// What a session remembers of a statement that was dropped while it ran.
    pub(crate) fn dropped_statement() -> Summary {
        Summary::ours(Category::Cancelled, "a statement was dropped while it ran")
    }

    /// What it remembers where sqlx's count of transactions is not what it was when the connection was lent.
    pub(crate) fn miscounted_transactions() -> Summary {
        Summary::ours(
            Category::Programming,
            "a transaction that was begun on the lent connection was never ended, or was dropped while it began",
        )
    }

    /// What it remembers where the transaction is over, and nobody has watched how that came.
    pub(crate) fn rolled_back_on_lent() -> Summary {
        Summary::ours(
            Category::Programming,
            "the transaction was rolled back on the lent connection: by the code that used it, by an error that this \
             code has swallowed, or because it dropped a statement that was writing",
        )
    }

    /// What it remembers where the database gave no error of its own.
    pub(crate) fn rolled_back_by_database() -> Summary {
        Summary::ours(
            Category::Resource,
            "the database has rolled the transaction back by itself",
        )
    }

    fn ours(category: Category, message: &str) -> Summary {
        Summary::from_parts(category, Retry::Never, &Facts::default(), message)
    }

    fn from_parts(category: Category, retry: Retry, facts: &Facts<'_>, message: &str) -> Summary {
        Summary(Arc::new(Record {
            category,
            retry,
            code: facts.code.as_deref().map(Into::into),
            constraint: facts.constraint.map(Into::into),
            table: facts.table.map(Into::into),
            column: facts.column.as_deref().map(Into::into),
            message: message.into(),
            words: facts.words,
        }))
    }

    pub(crate) fn category(&self) -> Category {
        self.0.category
    }

    pub(crate) fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What the database or the driver said.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            code: self.code().map(Into::into),
            constraint: self.constraint(),
            table: self.table(),
            column: self.column().map(Into::into),
            words: self.0.words,
        }
    }

    /// What is said of it, as long as it counts as what it was.
    pub(super) fn words(&self, category: Category) -> Option<&'static Words> {
        self.0.words.filter(|_| category == self.0.category)
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    pub(crate) fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    pub(crate) fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    pub(crate) fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }
}

/// The words of the database itself where it spoke, without what the driver puts in front of them.
pub(crate) fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        sqlx::Error::Io(inner) => inner.to_string(),
        sqlx::Error::Tls(inner) | sqlx::Error::Configuration(inner) => inner.to_string(),
        sqlx::Error::Protocol(inner) => inner.clone(),
        other => other.to_string(),
    }
}
