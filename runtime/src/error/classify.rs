//! How the machinery looks into an error type.

use std::error::Error as StdError;
use std::sync::Arc;

use sqlx::error::DatabaseError;

use super::carried::{carried, carried_mut};
use super::category::Category;
use super::error::Error;
use super::fault::Fault;
use super::outcome::{Outcome, Phase};
use super::verdict::Retry;

/// An error in which a database error may be found.
///
/// The error type of every managed function has it, together with `From<steadfast::Error>`, because fetching a
/// connection and committing can fail too. `#[derive(SessionError)]` writes both. It is implemented for
/// [`Error`](crate::Error), [`sqlx::Error`], boxed errors and (feature `anyhow`) `anyhow::Error`; these walk the chain
/// of sources and find the first database error in it, also behind `#[error(transparent)]` where that error has a source
/// to show. `Box` and `Arc` of such an error have it too.
///
/// Where work is there, or may be, an error that cannot be told so is replaced by `From<steadfast::Error>`: one whose
/// `session_error_mut` is `None` although it has a category, and that does not bear that outcome itself. `outcome` must
/// be written for it to be seen.
///
/// Looking costs a few type comparisons for each link of the chain, and happens only when a call fails.
///
/// By hand:
///
/// ```
/// use steadfast::{Category, Classify, Error, Outcome};
///
/// enum BankError {
///     TooLittleMoney,
///     Db(Error),
/// }
///
/// impl From<Error> for BankError {
///     fn from(error: Error) -> Self {
///         Self::Db(error)
///     }
/// }
///
/// impl Classify for BankError {
///     fn category(&self) -> Option<Category> {
///         match self {
///             Self::TooLittleMoney => None,
///             Self::Db(error) => Some(error.category()),
///         }
///     }
///
///     fn outcome(&self) -> Option<Outcome> {
///         match self {
///             Self::TooLittleMoney => None,
///             Self::Db(error) => Some(error.outcome()),
///         }
///     }
///
///     fn session_error_mut(&mut self) -> Option<&mut Error> {
///         match self {
///             Self::TooLittleMoney => None,
///             Self::Db(error) => Some(error),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be looked into for a database error",
    label = "the error type of a managed function needs `steadfast::Classify`",
    note = "add `#[derive(steadfast::SessionError)]` and a variant `#[session] Db(steadfast::Error)` to your error enum",
    note = "or return `steadfast::Error`, `sqlx::Error`, `anyhow::Error` (feature `anyhow`) or `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait Classify {
    /// What kind of database error this is; `None` if it is none, and then it is never retried.
    fn category(&self) -> Option<Category>;

    /// What became of the work, where the error bears it. Without it a connection that was lost behind a statement of the
    /// body's is not repeated: it may have been another than the session's.
    fn outcome(&self) -> Option<Outcome> {
        None
    }

    /// The session's own error inside this one, to which operation, attempts and outcome are added.
    fn session_error_mut(&mut self) -> Option<&mut Error> {
        None
    }

    /// The same where one of the driver's, which cannot bear what is to be added, becomes one of ours in its place.
    #[doc(hidden)]
    fn adopted(&mut self) -> Option<&mut Error> {
        self.session_error_mut()
    }

    /// The database error inside this one, as arms and `on(…)` see it.
    #[doc(hidden)]
    fn fault(&self) -> Option<Fault<'_>> {
        self.category()
            .map(|category| Fault::of_category(category, self.outcome()))
    }

    /// What this error says of the work, wherever in it that stands.
    #[doc(hidden)]
    fn borne(&mut self) -> Option<Outcome> {
        let ours = self.session_error_mut().map(|ours| ours.outcome());
        let seen = self.fault().and_then(|fault| fault.outcome());
        match (ours, seen) {
            (Some(ours), Some(seen)) => Some(ours.beside(seen)),
            (ours, seen) => ours.or(seen),
        }
    }

    /// Whether another attempt makes sense where a session vouches that this one was undone.
    #[doc(hidden)]
    fn retry(&self) -> Option<Retry> {
        self.fault().map(|fault| fault.retry())
    }
}

impl Classify for Error {
    fn category(&self) -> Option<Category> {
        Some(Error::category(self))
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Error::outcome(self))
    }

    fn session_error_mut(&mut self) -> Option<&mut Error> {
        Some(self)
    }

    fn fault(&self) -> Option<Fault<'_>> {
        Some(Fault::of_error(self))
    }
}

impl Classify for sqlx::Error {
    fn category(&self) -> Option<Category> {
        self.fault().map(|fault| fault.category())
    }

    fn outcome(&self) -> Option<Outcome> {
        self.fault().and_then(|fault| fault.outcome())
    }

    fn session_error_mut(&mut self) -> Option<&mut Error> {
        carried_mut(self)
    }

    fn adopted(&mut self) -> Option<&mut Error> {
        // That nothing was found is the body's own word, by which its callers match.
        if carried(self).is_none() && !matches!(self, sqlx::Error::RowNotFound) {
            let driver = std::mem::replace(self, sqlx::Error::WorkerCrashed);
            let ours = Error::from_driver(driver, Phase::Body);
            *self = sqlx::Error::AnyDriverError(Box::new(ours));
        }
        carried_mut(self)
    }

    fn fault(&self) -> Option<Fault<'_>> {
        Some(Fault::of_driver(self))
    }
}

macro_rules! classify_by_chain {
    ($($boxed:ty),+ $(,)?) => {$(
        impl Classify for $boxed {
            fn category(&self) -> Option<Category> {
                self.fault().map(|fault| fault.category())
            }

            fn outcome(&self) -> Option<Outcome> {
                self.fault().and_then(|fault| fault.outcome())
            }

            fn session_error_mut(&mut self) -> Option<&mut Error> {
                if self.downcast_ref::<Error>().is_some() {
                    return self.downcast_mut::<Error>();
                }
                self.downcast_mut::<sqlx::Error>()?.session_error_mut()
            }

            fn adopted(&mut self) -> Option<&mut Error> {
                if self.downcast_ref::<Error>().is_some() {
                    return self.downcast_mut::<Error>();
                }
                self.downcast_mut::<sqlx::Error>()?.adopted()
            }

            fn fault(&self) -> Option<Fault<'_>> {
                let error: &(dyn StdError + 'static) = self.as_ref();
                Fault::find(error)
            }
        }
    )+};
}

classify_by_chain!(
    Box<dyn StdError>,
    Box<dyn StdError + Send>,
    Box<dyn StdError + Send + Sync>
);
#[cfg(feature = "anyhow")]
classify_by_chain!(anyhow::Error);

impl<E: Classify> Classify for Box<E> {
    fn category(&self) -> Option<Category> {
        E::category(self)
    }

    fn outcome(&self) -> Option<Outcome> {
        E::outcome(self)
    }

    fn session_error_mut(&mut self) -> Option<&mut Error> {
        E::session_error_mut(self)
    }

    fn adopted(&mut self) -> Option<&mut Error> {
        E::adopted(self)
    }

    fn fault(&self) -> Option<Fault<'_>> {
        E::fault(self)
    }

    fn retry(&self) -> Option<Retry> {
        E::retry(self)
    }
}

/// What is shared can be told no more than it knows, unless this is the last to hold it.
impl<E: Classify> Classify for Arc<E> {
    fn category(&self) -> Option<Category> {
        E::category(self)
    }

    fn outcome(&self) -> Option<Outcome> {
        E::outcome(self)
    }

    fn session_error_mut(&mut self) -> Option<&mut Error> {
        Arc::get_mut(self)?.session_error_mut()
    }

    fn adopted(&mut self) -> Option<&mut Error> {
        Arc::get_mut(self)?.adopted()
    }

    fn fault(&self) -> Option<Fault<'_>> {
        E::fault(self)
    }

    fn retry(&self) -> Option<Retry> {
        E::retry(self)
    }
}

macro_rules! classify_answer {
    ($answer:ty, $as_answer:expr) => {
        /// An answer of the database that somebody took out of the driver's error.
        impl Classify for $answer {
            fn category(&self) -> Option<Category> {
                self.fault().map(|fault| fault.category())
            }

            fn fault(&self) -> Option<Fault<'_>> {
                let as_answer: fn(&$answer) -> &dyn DatabaseError = $as_answer;
                Some(Fault::of_answer(as_answer(self)))
            }
        }
    };
}

classify_answer!(Box<dyn DatabaseError>, AsRef::as_ref);
#[cfg(feature = "postgres")]
classify_answer!(sqlx::postgres::PgDatabaseError, |answer| answer);
#[cfg(feature = "mysql")]
classify_answer!(sqlx::mysql::MySqlDatabaseError, |answer| answer);
#[cfg(feature = "sqlite")]
classify_answer!(sqlx::sqlite::SqliteError, |answer| answer);

/// An error that a managed function may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a managed function",
    label = "it must be `steadfast::Classify + From<steadfast::Error>`: a connection or a commit can fail too",
    note = "derive both for an enum: `#[derive(SessionError)]`, with one variant `#[session] Db(steadfast::Error)`",
    note = "or return `steadfast::Error`, `sqlx::Error` or, with the feature `anyhow`, `anyhow::Error`"
)]
#[doc(hidden)]
pub trait ManagedError: Classify + From<Error> {
    /// Adds what is known of the work, which is there or may be, to an error of ours inside this one. Nobody may read
    /// that it is not there: where it `must` be told, and the database's error sits in a layer in which nothing can be
    /// written, one of ours takes the place of the whole.
    fn tell(&mut self, must: bool, add: impl FnOnce(&mut Error)) {
        if let Some(ours) = self.adopted() {
            add(ours);
        } else if must && let Some(mut ours) = self.fault().and_then(|fault| fault.stand_in()) {
            add(&mut ours);
            *self = Self::from(ours);
        }
    }
}

#[diagnostic::do_not_recommend]
impl<E: Classify + From<Error>> ManagedError for E {}
