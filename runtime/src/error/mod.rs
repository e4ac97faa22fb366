//! What failed, whether it may be tried again, and what became of the work.
//!
//! Every error of a driver is judged by one table per database (`postgres.rs`, `mysql.rs`, `sqlite.rs`): its category,
//! whether another attempt makes sense, what it proves as the answer to COMMIT, and how much of the session it ends.

mod attempts;
mod carried;
mod category;
mod classify;
mod display;
#[allow(clippy::module_inception, reason = "the file is named for its noun")]
mod error;
mod facts;
mod fault;
mod held;
mod kind;
#[cfg(feature = "mysql")]
mod mysql;
mod node;
mod outcome;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod summary;
#[cfg(test)]
mod tests;
mod verdict;
mod wording;

/// The lines of the code tables.
pub mod codes {
    #[cfg(feature = "mysql")]
    pub use super::mysql::lines as mysql;
    #[cfg(feature = "postgres")]
    pub use super::postgres::lines as postgres;
    #[cfg(feature = "sqlite")]
    pub use super::sqlite::lines as sqlite;
}

pub use attempts::AttemptError;
pub use category::{Category, Group, Integrity};
pub use classify::{Classify, ManagedError};
pub use error::Error;
pub use fault::Fault;
pub use held::Held;
pub use kind::Kind;
pub use outcome::{Outcome, Phase};
#[allow(
    unreachable_pub,
    reason = "answered by a hidden method of a public trait"
)]
pub use verdict::Retry;

pub(crate) use summary::Summary;
pub(crate) use verdict::{AtCommit, Ends, verdict};
