//! The database error inside an error of any type.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use sqlx::error::DatabaseError;

use super::carried::carried;
use super::category::Category;
use super::display::Said;
use super::error::Error;
use super::facts::Facts;
use super::kind::Kind;
use super::node::Node;
use super::outcome::Outcome;
use super::summary::{Summary, said};
use super::verdict::{Retry, Verdict, of_database, verdict};

/// The database error inside an error of any type, as arms and `on(…)` see it.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Fault<'a> {
    category: Category,
    outcome: Option<Outcome>,
    retry: Retry,
    in_doubt: bool,
    facts: Facts<'a>,
    message: Cow<'a, str>,
    node: Option<&'a Node>,
}

impl<'a> Fault<'a> {
    /// A fault of which no more is known than its category and outcome.
    pub(crate) fn of_category(category: Category, outcome: Option<Outcome>) -> Fault<'a> {
        Fault {
            category,
            outcome,
            retry: match outcome {
                Some(Outcome::Unknown | Outcome::Committed) => Retry::Never,
                _ => Retry::of(category),
            },
            in_doubt: outcome.is_none()
                && matches!(category, Category::Connection | Category::CommitUnknown),
            facts: Facts::default(),
            message: Cow::Borrowed(category.as_str()),
            node: None,
        }
    }

    pub(crate) fn of_error(error: &'a Error) -> Fault<'a> {
        Fault::of_node(error.node_ref())
    }

    pub(crate) fn of_driver(error: &'a sqlx::Error) -> Fault<'a> {
        match carried(error) {
            Some(ours) => Fault::of_node(ours),
            None => Fault::judged(
                verdict(error),
                Facts::of(error),
                Cow::Owned(said(error)),
                is_refused(error),
            ),
        }
    }

    fn of_node(node: &'a Node) -> Fault<'a> {
        Fault {
            category: node.category,
            outcome: Some(node.outcome),
            retry: if node.is_unjudged {
                node.retry
            } else {
                node.retry()
            },
            in_doubt: node.is_unjudged,
            facts: node
                .summary
                .as_ref()
                .map(Summary::facts)
                .unwrap_or_default(),
            message: Cow::Owned(Said(node).to_string()),
            node: Some(node),
        }
    }

    pub(crate) fn of_answer(error: &'a dyn DatabaseError) -> Fault<'a> {
        Fault::judged(
            of_database(error),
            Facts::of_database(error),
            Cow::Borrowed(error.message()),
            false,
        )
    }

    fn judged(
        verdict: Verdict,
        facts: Facts<'a>,
        message: Cow<'a, str>,
        refused: bool,
    ) -> Fault<'a> {
        let in_doubt = verdict.leaves_doubt() && !refused;
        Fault {
            category: verdict.category,
            outcome: in_doubt.then_some(Outcome::Unknown),
            retry: verdict.retry,
            in_doubt,
            facts,
            message,
            node: None,
        }
    }

    /// The first database error in a chain of sources.
    pub(crate) fn find(error: &'a (dyn StdError + 'static)) -> Option<Fault<'a>> {
        let mut link = Some(error);
        while let Some(error) = link {
            if let Some(fault) = Fault::of_link(error) {
                return Some(fault);
            }
            link = error.source();
        }
        None
    }

    fn of_link(error: &'a (dyn StdError + 'static)) -> Option<Fault<'a>> {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(Fault::of_error(ours));
        }
        if let Some(node) = error.downcast_ref::<Node>() {
            return Some(Fault::of_node(node));
        }
        let driver = error
            .downcast_ref::<sqlx::Error>()
            .or_else(|| error.downcast_ref::<Box<sqlx::Error>>().map(AsRef::as_ref))
            .or_else(|| error.downcast_ref::<Arc<sqlx::Error>>().map(AsRef::as_ref));
        if let Some(driver) = driver {
            return Some(Fault::of_driver(driver));
        }
        // What the driver's own error shows as its source, when a transparent wrapper has skipped that error.
        error
            .downcast_ref::<Box<dyn DatabaseError>>()
            .map(|answer| Fault::of_answer(answer.as_ref()))
            .or_else(|| bare(error))
    }

    /// Whether the fault is of this kind and, where a name is given, about this constraint or column.
    pub fn matches(&self, kind: Kind, name: Option<&str>) -> bool {
        kind.matches(self.category) && name.is_none_or(|name| self.facts.is_about(name))
    }

    /// What kind of failure it is.
    pub fn category(&self) -> Category {
        self.category
    }

    /// What became of the work, where the error bears it.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether another attempt makes sense where a session vouches that this one was undone.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// Whether it is the driver's word alone that leaves it open what became of a statement.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Whether another attempt makes sense where nobody vouches for that: what may have been applied is not repeated.
    pub fn retry_alone(&self) -> Retry {
        if self.in_doubt {
            Retry::Never
        } else {
            self.retry
        }
    }

    /// One of ours that says the same. `None` for the driver's word that a search found nothing: that is the body's own,
    /// by which its callers match.
    pub(crate) fn stand_in(&self) -> Option<Error> {
        let found_nothing = self.outcome.is_none() && self.category == Category::NotFound;
        (!found_nothing).then(|| Error::standing_for(self))
    }

    /// Whether it can be asked in a ledger what became of a commit.
    pub(crate) fn has_token(&self) -> bool {
        self.node.is_some_and(|node| !node.tokens.is_empty())
    }

    /// What stands behind it, where it is one of ours.
    pub(super) fn node(&self) -> Option<&Node> {
        self.node
    }

    /// The code of the database.
    pub fn code(&self) -> Option<&str> {
        self.facts.code.as_deref()
    }

    /// The constraint that was violated.
    pub fn constraint(&self) -> Option<&str> {
        self.facts.constraint
    }

    /// The table it is about.
    pub fn table(&self) -> Option<&str> {
        self.facts.table
    }

    /// The column or columns it is about.
    pub fn column(&self) -> Option<&str> {
        self.facts.column.as_deref()
    }

    pub(super) fn facts(&self) -> &Facts<'a> {
        &self.facts
    }

    /// What was said, for logs alone.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Whether a statement that was answered by this error may have been applied, as far as the driver can tell.
pub(super) fn leaves_doubt(error: &sqlx::Error) -> bool {
    verdict(error).leaves_doubt() && !is_refused(error)
}

/// A refused connection never carried a statement.
fn is_refused(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(inner) => {
            inner.kind() == std::io::ErrorKind::ConnectionRefused
                // The standard library's words for a name without an address; there is no kind for it.
                || inner.to_string().starts_with("failed to lookup address information")
        }
        // While the connection is made, and never behind that.
        sqlx::Error::Tls(_) => true,
        // cannot_connect_now
        sqlx::Error::Database(answer) => answer.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

/// An answer of the database that somebody took out of the driver's error.
fn bare<'a>(error: &'a (dyn StdError + 'static)) -> Option<Fault<'a>> {
    #[cfg(feature = "postgres")]
    if let Some(answer) = error.downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return Some(Fault::of_answer(answer));
    }
    #[cfg(feature = "mysql")]
    if let Some(answer) = error.downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(Fault::of_answer(answer));
    }
    #[cfg(feature = "sqlite")]
    if let Some(answer) = error.downcast_ref::<sqlx::sqlite::SqliteError>() {
        return Some(Fault::of_answer(answer));
    }
    let _ = error;
    None
}
