//! The whole contract with the macros: everything that generated code names and users do not. Not part of the
//! public interface; the two crates are versioned as one.

/// A loop that never runs gives inference the types; these give it names that no user item can shadow.
pub use inventory;
pub use sqlx;

/// The static beside each annotated function, its options and its place in `operations()`.
pub use crate::operation::{Nested, Operation, Options, Registered};

/// What the options are made of.
pub use crate::isolation::Isolation;
pub use crate::retry::{Jitter, RetryPolicy};

/// The words of `on(…)` and of the arms, and what an arm looks at.
pub use crate::error::{Classify, Fault, Kind};

/// What `#[derive(SessionError)]` finds in the other variants.
pub use crate::error::Held;

/// Not for the macros: bugs for the campaigns to catch.
#[cfg(feature = "__plant")]
pub use crate::plant::{Plant, plant};

/// Not for the macros: the lines of the code tables, for the test that provokes each of them.
pub use crate::error::codes;

/// What the error of a managed function must be.
pub use crate::error::ManagedError;

/// The loop of a function that retries without a session.
pub use crate::operation::LoneCall;

/// What `#[db_error_handling]` does with a result.
pub use crate::error_handling::handle;

/// The steps of a call: `OPERATION.call(source)`, `begin`, `session`, `conclude` or `finish`.
pub use crate::session::{Attempt, Call, Origin, PoolSource, SessionType};

/// The body under its limits.
pub use crate::shield::{Ended, Limits, Shielded, shielded};

use crate::backend::Backend;
use crate::error::Error;
use crate::pool::SessionPool;

/// The pool that `pool = …` names. A clone: a borrow of it, held for the whole call, would keep the body from
/// moving what the expression names, and a temporary would not live long enough.
pub fn pool_of<DB: Backend>(source: &(impl PoolSource<DB> + ?Sized)) -> SessionPool<DB> {
    source.pool().clone()
}

/// Runs the body of a function that is not async. The bound lets a body return a reborrow of a `&mut`
/// argument, which a closure without one may not.
pub fn run<T>(body: impl FnOnce() -> T) -> T {
    body()
}

/// Stands at the session parameter's type: is it a session?
pub const fn assert_session<S: SessionType>() {}

/// Stands at the return type: is it a `Result`?
pub const fn assert_result<R: IsResult>() {}

/// Stands at the return type of a managed function: can its error be classified, and be made of ours?
pub const fn assert_error<R: IsResult>()
where
    R::Error: ManagedError,
{
}

/// Stands at the return type of a function without a session: can its error be classified?
pub const fn assert_classify<R: IsResult>()
where
    R::Error: Classify,
{
}

/// Stands at the type of each argument that a retried function takes by value.
pub const fn assert_clone<T: Retryable>() {}

/// Stands at the value of `isolation` where that is below the strictest level: does the database know a weaker one?
pub const fn assert_weaker_isolation<S: SessionType>()
where
    WeakerIsolation: KnownTo<S::Backend>,
{
}

/// A `Result` under whatever alias.
#[diagnostic::on_unimplemented(
    message = "a managed function must return a `Result`, and this one returns `{Self}`",
    label = "an `Err` is how a function says that its work shall not stay",
    note = "return `Result<(), E>` where `E: steadfast::Classify + From<steadfast::Error>`; \
            `steadfast::Error`, `sqlx::Error` and enums with `#[derive(SessionError)]` are such errors"
)]
pub trait IsResult {
    /// What it holds when all went well.
    type Value;
    /// What it holds otherwise.
    type Error;

    /// Holds an error.
    fn failed(error: Self::Error) -> Self;
}

impl<T, E> IsResult for Result<T, E> {
    type Value = T;
    type Error = E;

    fn failed(error: E) -> Self {
        Err(error)
    }
}

/// What a body answers whose connection could not be opened. Not `Err(…)` in the generated code: a type that is no
/// `Result` would be one more mistake there.
pub fn refused<R: IsResult>(error: Error) -> R
where
    R::Error: ManagedError,
{
    R::failed(error.into())
}

/// `Clone`, under a name that can say why it is needed.
#[diagnostic::on_unimplemented(
    message = "`#[retry]` runs the body again, so an argument by value must be `Clone`, and `{Self}` is not",
    label = "each attempt gets a clone of this argument",
    note = "take it by reference, wrap it in an `Arc`, or call a retried function from here"
)]
pub trait Retryable {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Retryable for T {}

/// The isolation levels below `serializable`, which is the one that every database has.
#[derive(Debug)]
pub enum WeakerIsolation {}

/// What the database knows. The trait does not stand on the database itself: rustc would advise to bound a type
/// parameter by it.
#[diagnostic::on_unimplemented(
    message = "`{DB}` is not known to have an isolation level this weak",
    label = "SQLite has one level, `serializable`, and so has a function for every database",
    note = "write `isolation = serializable`, or remove `isolation`"
)]
pub trait KnownTo<DB: Backend> {}

#[cfg(feature = "postgres")]
#[diagnostic::do_not_recommend]
impl KnownTo<sqlx::Postgres> for WeakerIsolation {}
#[cfg(feature = "mysql")]
#[diagnostic::do_not_recommend]
impl KnownTo<sqlx::MySql> for WeakerIsolation {}
