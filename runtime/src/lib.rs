//! Managed database sessions for Rust, by attribute macro, on sqlx and tokio: the work of an annotated
//! function ends in exactly one of commit or rollback, and the caller is told which.
//!
//! | what | where |
//! |---|---|
//! | how it is meant to be used | [`guide`] |
//! | annotate a function | [`with_session`], [`retry`], [`db_error_handling`] |
//! | run a closure instead | [`SessionPool::session`], [`NamedOperation`] |
//! | the pool and its figures | [`SessionPool`], [`PoolBuilder`], [`PoolStats`], [`SessionInfo`] |
//! | a connection by hand | [`SessionPool::acquire`], [`Lease`] |
//! | inside a function | [`Session`] and its aliases |
//! | errors | [`Error`], [`Category`], [`Outcome`], [`Classify`], [`SessionError`](derive@SessionError) |
//! | what every annotated function has done | [`operations`], [`Operation`] |
//!
//! Choose a database by its feature: `postgres`, `mysql`, `sqlite`.

#[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
compile_error!(
    "steadfast needs a database: enable at least one of its features `postgres`, `mysql`, `sqlite`"
);

mod backend;
mod error;
mod error_handling;
mod isolation;
mod ledger;
mod operation;
mod plant;
mod pool;
mod retry;
mod session;
mod shield;
mod sync;

pub mod guide;

#[doc(hidden)]
pub mod __private;

pub use steadfast_macros::{SessionError, db_error_handling, retry, with_session};

pub use backend::Backend;
pub use error::{AttemptError, Category, Classify, Error, Group, Integrity, Outcome, Phase};
pub use isolation::Isolation;
pub use operation::{Operation, OperationStats, operations};
pub use pool::{
    CloseReport, CriticalEvent, HookOutput, Lease, PoolBuilder, PoolStats, SessionInfo,
    SessionPool, SessionStage,
};
pub use retry::{Jitter, RetryBudget, RetryPolicy};
pub use session::{NamedOperation, Session, SessionSource};

/// A session on PostgreSQL.
#[cfg(feature = "postgres")]
pub type PgSession = Session<sqlx::Postgres>;
/// A session on MySQL or MariaDB.
#[cfg(feature = "mysql")]
pub type MySqlSession = Session<sqlx::MySql>;
/// A session on SQLite.
#[cfg(feature = "sqlite")]
pub type SqliteSession = Session<sqlx::Sqlite>;

/// A pool on PostgreSQL.
#[cfg(feature = "postgres")]
pub type PgSessionPool = SessionPool<sqlx::Postgres>;
/// A pool on MySQL or MariaDB.
#[cfg(feature = "mysql")]
pub type MySqlSessionPool = SessionPool<sqlx::MySql>;
/// A pool on SQLite.
#[cfg(feature = "sqlite")]
pub type SqliteSessionPool = SessionPool<sqlx::Sqlite>;

/// The blocks of the README, compiled.
#[cfg(all(doctest, feature = "postgres"))]
#[doc = include_str!("../../README.md")]
struct Readme;
