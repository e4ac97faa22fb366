//! What a database must offer for the shield to hold on it.
//!
//! [`Backend`] is the public, sealed name; [`Driver`] carries the mechanism: how a transaction is begun,
//! proven, committed and rolled back on one kind of server, and how a statement that nobody waits for is
//! stopped. Everything above this module is written once, for all databases.

#![allow(
    unreachable_pub,
    reason = "reachable through the sealed bound of a public trait, and nameable by nobody"
)]

mod begin;
mod driver;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod setting;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

use std::future::Future;
use std::pin::Pin;

use sqlx::{Connection, Database, Either};

pub use begin::Begin;
pub(crate) use begin::{Access, Owner};
pub use driver::Driver;
pub(crate) use shared::first_row;
pub use statement::Statement;

/// A boxed future that may borrow; the form in which drivers answer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The connect options of a database.
pub type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A new connection.
pub type Connected<DB> = Result<<DB as Database>::Connection, sqlx::Error>;

/// What a stream of a statement yields.
pub type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// Whose SQL a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` and `MariaDB`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

/// A database that steadfast manages: `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`, each behind the
/// feature of its name. Sealed: the shield's promises are proven for these three.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that steadfast manages",
    label = "expected `sqlx::Postgres`, `sqlx::MySql` or `sqlx::Sqlite`",
    note = "each is behind a feature of steadfast: `postgres`, `mysql`, `sqlite`",
    note = "a type parameter that stands for any of them is bounded by `steadfast::Backend`"
)]
pub trait Backend: Driver {}

#[diagnostic::do_not_recommend]
impl<DB: Driver> Backend for DB {}

/// The savepoint around what is done on a lent connection; see [`Driver::LENDS_IN_SAVEPOINT`].
pub(crate) const LENT: &str = "steadfast_lent";

/// What somebody may have done on a lent connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Ended the transaction; this savepoint stands for as long as it does.
    Ended {
        #[cfg_attr(
            not(feature = "postgres"),
            allow(dead_code, reason = "the others see it by themselves")
        )]
        savepoint: String,
    },
    /// Left one open, in autocommit.
    Opened,
}

/// What came of tidying a connection that somebody had to himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// It is as it was.
    Clean,
    /// It is as it was when it was new: what the pool does to a new connection is to be done again.
    Reset,
    /// Something may be left that cannot be undone, or not be seen.
    InDoubt,
}
