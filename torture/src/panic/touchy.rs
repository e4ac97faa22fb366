//! Errors that panic when they are looked at.

use std::fmt;

use steadfast::{Category, Classify, Error, Outcome};

use super::fuse::{Fuse, Promise};

tokio::task_local! {
    /// That of the call, for what has no argument to bring it: `From<steadfast::Error>`.
    pub(super) static FUSE: Fuse;
}

fn touch() {
    // Elsewhere than in the call nobody has lit one.
    let _ = FUSE.try_with(|fuse| fuse.pass(Promise::truth(&[1])));
}

/// An error type of the user's, whose every method may panic.
pub(super) struct Touchy(Option<Error>);

impl Touchy {
    /// One that a retry tries again.
    pub(super) fn transient() -> Self {
        Self(Some(sqlx::Error::PoolTimedOut.into()))
    }

    pub(super) fn of_the_domain() -> Self {
        Self(None)
    }
}

impl From<Error> for Touchy {
    fn from(error: Error) -> Self {
        touch();
        Self(Some(error))
    }
}

impl From<sqlx::Error> for Touchy {
    fn from(error: sqlx::Error) -> Self {
        touch();
        Self(Some(error.into()))
    }
}

impl Classify for Touchy {
    fn category(&self) -> Option<Category> {
        touch();
        self.0.as_ref().map(Error::category)
    }

    fn outcome(&self) -> Option<Outcome> {
        touch();
        self.0.as_ref().map(Error::outcome)
    }

    fn session_error_mut(&mut self) -> Option<&mut Error> {
        touch();
        self.0.as_mut()
    }
}

impl fmt::Display for Touchy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        touch();
        formatter.write_str("touchy")
    }
}

impl fmt::Debug for Touchy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        touch();
        formatter.write_str("Touchy")
    }
}

impl std::error::Error for Touchy {}

/// An error of a hook's, with words that panic.
pub(super) struct Wordy(pub(super) Fuse, pub(super) Promise);

impl fmt::Display for Wordy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.pass(self.1);
        formatter.write_str("wordy")
    }
}
