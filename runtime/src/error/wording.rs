//! The words that go with a category: for developers in `Display`, for users in `user_message`.

use super::category::{Category, Integrity};
use super::outcome::{Outcome, Phase};

/// What is said in place of the category's own words.
#[cfg_attr(
    not(feature = "sqlite"),
    allow(
        dead_code,
        reason = "the codes of servers say no more than their category"
    )
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What happened, for a developer.
    pub(crate) headline: &'static str,
    /// What to do, for a developer.
    pub(crate) help: &'static str,
    /// What to do when it happens as soon as the file is opened.
    pub(crate) at_opening: Option<&'static str>,
    /// One sentence that may be shown to anybody.
    pub(crate) user_message: &'static str,
}

impl Words {
    pub(crate) fn help(self, phase: Phase) -> &'static str {
        match (phase, self.at_opening) {
            (Phase::Acquire, Some(help)) => help,
            _ => self.help,
        }
    }
}

/// What happened, for a developer.
pub(super) const fn headline(category: Category) -> &'static str {
    match category {
        Category::Conflict => "conflict with another transaction",
        Category::Connection => "connection to the database lost or refused",
        Category::Capacity => "no connection was free",
        Category::LockTimeout => "a lock was not granted in time",
        Category::Integrity(Integrity::Unique) => "unique constraint violated",
        Category::Integrity(Integrity::ForeignKey) => "foreign key violated",
        Category::Integrity(Integrity::NotNull) => "a required value is missing",
        Category::Integrity(Integrity::Check) => "check constraint violated",
        Category::Integrity(Integrity::Exclusion) => "exclusion constraint violated",
        Category::Programming => "the code does not fit the database",
        Category::Data => "a value does not fit",
        Category::NotFound => "a row was required and none was found",
        Category::TooManyRows => "one row was required and more were found",
        Category::Access => "access denied by the database",
        Category::Resource => "the database ran out of a resource",
        Category::Timeout => "a time limit passed",
        Category::Cancelled => "the work was cancelled",
        Category::ReadOnly => "the server takes no writes",
        Category::PoolDeadlock => "every session waits for a connection that another one holds",
        Category::CommitUnknown => "the database cannot say whether the commit was applied",
        Category::Closed => "the pool is closed",
        Category::Internal => "unexpected failure",
    }
}

/// What to do, for a developer.
pub(super) const fn help(category: Category, phase: Phase) -> &'static str {
    match category {
        Category::Programming if matches!(phase, Phase::Acquire) => {
            "see that the database exists and that the URL names it as it is"
        }
        Category::Conflict => "run the whole session again, as `#[retry]` does",
        Category::Connection => {
            "check that the server is up and reachable, then run the session again"
        }
        Category::Capacity => "hold sessions for a shorter time, or allow more connections",
        Category::LockTimeout => {
            "run the session again, or look for the session that holds the lock"
        }
        Category::Integrity(_) => {
            "translate it with an arm of `#[db_error_handling]`, or mend the values"
        }
        Category::Programming => "compare the statement and its types with the schema",
        Category::Data => "check the value before it is sent",
        Category::NotFound => "use `fetch_optional` where a row may be missing",
        Category::TooManyRows => "narrow the condition until one row is left",
        Category::Access => "check the user, its password and its grants",
        Category::Resource => "make room on the server, its log says of what",
        Category::Timeout => "make the work shorter, or raise the limit",
        Category::Cancelled => "run it again if it was not meant to be cancelled",
        Category::ReadOnly => "connect to the primary server",
        Category::PoolDeadlock => "pass the open session on instead of the pool",
        Category::CommitUnknown => "look whether the work is there before it is repeated",
        Category::Closed => "start no session once `close` was called",
        Category::Internal => "please report it",
    }
}

/// Where it happened, as the end of a clause; nothing for the body, where most errors arise.
pub(super) const fn place(phase: Phase) -> &'static str {
    match phase {
        Phase::Acquire => " while a connection was fetched",
        Phase::Begin => " while the session was opened",
        Phase::Body => "",
        Phase::Commit => " at commit",
        Phase::Rollback => " at rollback",
    }
}

/// One sentence that may be shown to anybody.
pub(super) fn user_message(
    category: Category,
    outcome: Outcome,
    words: Option<&Words>,
) -> &'static str {
    match outcome {
        Outcome::Unknown => {
            return "We could not confirm whether your change was saved. Please check before you try again.";
        }
        Outcome::Committed => return "Your change was saved, but something failed afterwards.",
        Outcome::NotSent | Outcome::RolledBack => {}
    }
    if let Some(words) = words {
        return words.user_message;
    }
    match category {
        Category::Conflict | Category::LockTimeout => {
            "Somebody else was changing the same data. Please try again."
        }
        Category::Connection | Category::ReadOnly => {
            "The service cannot be reached right now. Please try again soon."
        }
        Category::Capacity | Category::PoolDeadlock => {
            "The service is very busy right now. Please try again soon."
        }
        Category::Integrity(Integrity::Unique) => "This already exists.",
        Category::Integrity(Integrity::ForeignKey) => {
            "This refers to something that does not exist or is still in use."
        }
        Category::Integrity(Integrity::NotNull) => "A required value is missing.",
        Category::Integrity(Integrity::Check) => "A value is not allowed.",
        Category::Integrity(Integrity::Exclusion) => {
            "This overlaps with something that already exists."
        }
        Category::Data => "A value is not valid.",
        Category::NotFound => "This was not found.",
        Category::Access => "You are not allowed to do this.",
        Category::Resource => {
            "The service is out of space or memory right now. Please try again later."
        }
        Category::Timeout => "This took too long. Please try again.",
        Category::Cancelled => "This was cancelled.",
        Category::CommitUnknown => {
            "We could not confirm whether your change was saved. Please check before you try again."
        }
        Category::Closed => "The service is shutting down. Please try again soon.",
        Category::Programming | Category::TooManyRows | Category::Internal => {
            "Something went wrong on our side."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn developers_read_lower_case_without_a_full_stop() {
        for category in Category::ALL {
            for words in [
                headline(category),
                help(category, Phase::Body),
                help(category, Phase::Acquire),
            ] {
                assert!(words.starts_with(char::is_lowercase), "{words}");
                assert!(!words.ends_with('.'), "{words}");
            }
        }
    }

    #[test]
    fn users_read_sentences_and_no_jargon() {
        for category in Category::ALL {
            for outcome in [
                Outcome::NotSent,
                Outcome::RolledBack,
                Outcome::Committed,
                Outcome::Unknown,
            ] {
                let words = user_message(category, outcome, None);
                assert!(
                    words.starts_with(char::is_uppercase) && words.ends_with('.'),
                    "{words}"
                );
                for jargon in [
                    "SQL",
                    "constraint",
                    "transaction",
                    "database",
                    "connection",
                    "`",
                ] {
                    assert!(!words.contains(jargon), "{words}");
                }
            }
        }
    }

    #[test]
    fn doubt_is_told_whatever_the_category() {
        let doubtful = user_message(Category::Connection, Outcome::Unknown, None);
        assert_ne!(
            doubtful,
            user_message(Category::Connection, Outcome::NotSent, None)
        );
        assert!(doubtful.contains("could not confirm"));
    }
}
