//! What a caller may pass where an annotated function declares its session.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::sync::Arc;

use super::Session;
use crate::backend::Backend;
use crate::error::Error;
use crate::pool::SessionPool;

/// Where an annotated function gets its session from: a pool (`&pool`, `&Arc<_>`, owned) for one of its own,
/// `&mut Session<DB>` to run inside the caller's, as a savepoint.
///
/// Implemented for these alone. Inside a caller's session the earlier of two deadlines holds, a retry does
/// nothing, and what the inner function asks for must be what the outer one gives: a stricter `isolation`,
/// `read_only` inside a session that writes, and the reverse are `Programming` errors before anything is sent.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of sessions for this function",
    label = "pass `&pool` for a session of its own, or `&mut *session` to run inside the caller's",
    note = "the pool or session must be of the database that the function declares",
    note = "a `sqlx::Pool` is not one: open a `SessionPool` beside it, with `SessionPool::builder().primary_with(…)`",
    note = "inside a `sqlx::Transaction` steadfast cannot keep its promises: begin with `SessionPool::begin`, \
            or annotate the function that calls `begin`"
)]
pub trait SessionSource<DB: Backend>: Debug + Send + Sized {
    /// Tells the two apart.
    #[doc(hidden)]
    fn into_origin<'s>(self) -> Origin<'s, DB>
    where
        Self: 's;
}

/// A session's origin.
#[doc(hidden)]
pub enum Origin<'s, DB: Backend> {
    /// A session of its own.
    Pool(SessionPool<DB>),
    /// Inside the caller's.
    Session(&'s mut Session<DB>),
}

impl<DB: Backend> SessionSource<DB> for SessionPool<DB> {
    fn into_origin<'s>(self) -> Origin<'s, DB>
    where
        Self: 's,
    {
        Origin::Pool(self)
    }
}

impl<DB: Backend> SessionSource<DB> for Arc<SessionPool<DB>> {
    fn into_origin<'s>(self) -> Origin<'s, DB>
    where
        Self: 's,
    {
        Origin::Pool(SessionPool::clone(&self))
    }
}

impl<DB: Backend, S: PoolSource<DB> + ?Sized> SessionSource<DB> for &S {
    fn into_origin<'s>(self) -> Origin<'s, DB>
    where
        Self: 's,
    {
        Origin::Pool(self.pool().clone())
    }
}

impl<DB: Backend> SessionSource<DB> for &mut Session<DB> {
    fn into_origin<'s>(self) -> Origin<'s, DB>
    where
        Self: 's,
    {
        Origin::Session(self)
    }
}

/// What a pool may be borrowed through, and what `pool = …` may name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session pool",
    label = "expected a `SessionPool` of the database that the function declares",
    note = "behind a reference, an `Arc` or a `Box` it is one too",
    note = "a `sqlx::Pool` is not one: open a `SessionPool` beside it, with `SessionPool::builder().primary_with(…)`"
)]
pub trait PoolSource<DB: Backend>: Debug + Send + Sync {
    /// The pool itself.
    fn pool(&self) -> &SessionPool<DB>;
}

impl<DB: Backend> PoolSource<DB> for SessionPool<DB> {
    fn pool(&self) -> &SessionPool<DB> {
        self
    }
}

impl<DB: Backend, P: PoolSource<DB> + ?Sized> PoolSource<DB> for &P {
    fn pool(&self) -> &SessionPool<DB> {
        (**self).pool()
    }
}

impl<DB: Backend, P: PoolSource<DB> + ?Sized> PoolSource<DB> for Arc<P> {
    fn pool(&self) -> &SessionPool<DB> {
        (**self).pool()
    }
}

impl<DB: Backend, P: PoolSource<DB> + ?Sized> PoolSource<DB> for Box<P> {
    fn pool(&self) -> &SessionPool<DB> {
        (**self).pool()
    }
}

/// The type of a function's session parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session",
    label = "`#[with_session]` needs `session: &mut Session<DB>` here",
    note = "write `session: &mut PgSession`, `&mut MySqlSession`, `&mut SqliteSession` or `&mut Session<DB>`"
)]
pub trait SessionType {
    /// Its database.
    type Backend: Backend;

    /// What the body gets of its attempt's session.
    #[doc(hidden)]
    fn of<'s>(
        session: &'s mut Session<Self::Backend>,
    ) -> impl Future<Output = Result<&'s mut Self, Error>> + Send
    where
        Self: 's;
}

impl<DB: Backend> SessionType for Session<DB> {
    type Backend = DB;

    fn of<'s>(session: &'s mut Self) -> impl Future<Output = Result<&'s mut Self, Error>> + Send
    where
        Self: 's,
    {
        ready(Ok(session))
    }
}

/// A function may ask for sqlx's connection itself: it is lent for the whole body, see [`Session::raw`].
macro_rules! lent {
    ($($feature:literal: $connection:ident of $database:ident),*) => {$(
        #[cfg(feature = $feature)]
        impl SessionType for sqlx::$connection {
            type Backend = sqlx::$database;

            fn of<'s>(
                session: &'s mut Session<sqlx::$database>,
            ) -> impl Future<Output = Result<&'s mut Self, Error>> + Send
            where
                Self: 's,
            {
                session.raw()
            }
        }
    )*};
}

lent! {
    "postgres": PgConnection of Postgres,
    "mysql": MySqlConnection of MySql,
    "sqlite": SqliteConnection of Sqlite
}
