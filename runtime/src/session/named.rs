//! Managed closures: the door without a macro.

mod asked;

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use super::Session;
use super::call::Call;
use super::source::Origin;
use crate::backend::Backend;
use crate::error::ManagedError;
use crate::isolation::Isolation;
use crate::operation::{Operation, named};
use crate::pool::SessionPool;
use crate::retry::RetryPolicy;
use crate::shield::shielded;
use asked::Asked;

impl<DB: Backend> SessionPool<DB> {
    /// Runs a closure as a managed call: what `#[with_session]` does for a function.
    ///
    /// Short for [`operation(name)`](Self::operation)[`.run(body)`](NamedOperation::run), which says what is
    /// guaranteed, what it costs and how it fails.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(pool: steadfast::PgSessionPool, cents: i64) -> Result<(), steadfast::Error> {
    /// let left: i64 = pool
    ///     .session("bank::withdraw", async |session| {
    ///         sqlx::query("UPDATE accounts SET cents = cents - $1 WHERE id = 1")
    ///             .bind(cents)
    ///             .execute(&mut *session)
    ///             .await?;
    ///         let left = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
    ///             .fetch_one(&mut *session)
    ///             .await?;
    ///         Ok::<_, steadfast::Error>(left)
    ///     })
    ///     .await?;
    /// # let _ = left;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the closure; and of waiting for a connection, of BEGIN and of COMMIT.
    ///
    /// # Cancellation
    /// Dropped, the session is rolled back by the reaper.
    pub async fn session<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Session<DB>) -> Result<T, E>,
        E: ManagedError,
    {
        self.operation(name).run(body).await
    }

    /// An operation without an attribute: options first, then [`run`](NamedOperation::run).
    ///
    /// There is one operation for each name in the process, whatever pool it runs on; [`operations`](crate::operations)
    /// lists it from here on, with its counters. A name is code, like that of a function: it is kept for ever, so one
    /// made from data (and leaked to be `'static`) would make that list grow without end.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(pool: steadfast::PgSessionPool, from: i64, to: i64) -> Result<(), steadfast::Error> {
    /// use std::time::Duration;
    /// use steadfast::{Isolation, RetryPolicy};
    ///
    /// pool.operation("bank::transfer")
    ///     .isolation(Isolation::Serializable)
    ///     .timeout(Duration::from_secs(5))
    ///     .retry(RetryPolicy::exponential().max(10))
    ///     .run(async |session| {
    ///         for (id, cents) in [(from, -500), (to, 500)] {
    ///             sqlx::query("UPDATE accounts SET cents = cents + $1 WHERE id = $2")
    ///                 .bind(cents)
    ///                 .bind(id)
    ///                 .execute(&mut *session)
    ///                 .await?;
    ///         }
    ///         Ok::<_, steadfast::Error>(())
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn operation(&self, name: &'static str) -> NamedOperation<'_, DB> {
        NamedOperation {
            pool: self,
            operation: named(name),
            asked: Asked::default(),
            policy: (),
        }
    }
}

/// An operation without an attribute, made by [`SessionPool::operation`]. Nothing happens before `run`.
///
/// The options are those of `#[with_session]` and mean the same. `P` tells whether it retries: `()` or, after
/// [`retry`](NamedOperation::retry), [`RetryPolicy`].
#[must_use = "nothing happens before `run`"]
pub struct NamedOperation<'p, DB: Backend, P = ()> {
    pool: &'p SessionPool<DB>,
    operation: &'static Operation,
    asked: Asked,
    policy: P,
}

impl<'p, DB: Backend, P> NamedOperation<'p, DB, P> {
    /// How far its transaction is kept apart from others. SQLite is always serializable and takes no weaker level.
    pub fn isolation(mut self, level: Isolation) -> Self {
        self.asked.isolation = Some(level);
        self
    }

    /// Its transaction only reads, and the database refuses writes.
    pub fn read_only(mut self) -> Self {
        self.asked.read_only = true;
        self
    }

    /// One deadline for queueing, all attempts, their waits and the commit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.asked.timeout = Some(limit);
        self
    }

    /// How long a statement may wait for a lock.
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.asked.lock_timeout = Some(limit);
        self
    }

    /// How long a statement may take.
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.asked.statement_timeout = Some(limit);
        self
    }

    /// No transaction: the database commits each statement by itself, and an `Err` undoes nothing.
    pub fn autocommit(mut self) -> Self {
        self.asked.autocommit = true;
        self
    }

    fn call(&self, policy: Option<RetryPolicy>) -> Call<'p, DB> {
        let options = self.asked.options();
        let origin = Origin::Pool(self.pool.clone());
        let mut call = Call::new(self.operation, origin, &options);
        match self.asked.contradiction::<DB>(policy) {
            Some(error) => call.refuse(error),
            None => {
                if let Some(policy) = policy {
                    call = call.retrying(policy);
                }
            }
        }
        call
    }
}

impl<'p, DB: Backend> NamedOperation<'p, DB> {
    /// Retries under this policy. From here on `run` wants a closure that is `Clone`.
    pub fn retry(self, policy: RetryPolicy) -> NamedOperation<'p, DB, RetryPolicy> {
        NamedOperation {
            pool: self.pool,
            operation: self.operation,
            asked: self.asked,
            policy,
        }
    }

    /// Runs `body` in a session of its own, once.
    ///
    /// Written `async |session| { … }`: a closure that returns an `async` block is not general enough. The future is
    /// `Send` where what the closure borrows or owns is.
    ///
    /// # Guarantee
    /// That of an annotated function: committed if `body` returns `Ok`, rolled back if it returns `Err`, panics, is
    /// dropped at any await, or runs out of time.
    ///
    /// # Errors
    /// Those of `body`; those of waiting for a connection, of BEGIN and of COMMIT; `Programming`, before anything is
    /// sent, for options that contradict each other or are nothing.
    ///
    /// # Cost
    /// That of an annotated function, and one look at a table of names.
    ///
    /// # Cancellation
    /// Dropped, the session is rolled back by the reaper; a COMMIT that was sent runs to its end.
    pub async fn run<T, E, F>(self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Session<DB>) -> Result<T, E>,
        E: ManagedError,
    {
        let mut call = self.call(None);
        let mut attempt = call.begin();
        let limits = attempt.limits();
        let session = attempt.session();
        let ended = shielded(limits, async move { body(session).await }).await;
        attempt.conclude(ended).await
    }
}

impl<DB: Backend> NamedOperation<'_, DB, RetryPolicy> {
    /// Runs a clone of `body` in each attempt, which is a session of its own.
    ///
    /// A closure that borrows by `&mut` is not `Clone`, so nothing that a failed attempt wrote there leaks into the
    /// next:
    ///
    /// ```compile_fail,E0277
    /// # async fn example(pool: steadfast::SessionPool<sqlx::Sqlite>) -> Result<(), steadfast::Error> {
    /// use steadfast::RetryPolicy;
    ///
    /// let mut log = Vec::new();
    /// pool.operation("bank::transfer")
    ///     .retry(RetryPolicy::exponential())
    ///     .run(async |session| {
    ///         log.push(session.attempt());
    ///         Ok::<_, steadfast::Error>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Guarantee
    /// That of an annotated function with `#[retry]`: what is tried again was definitely not applied, unless the policy
    /// is `idempotent`.
    ///
    /// # Errors
    /// As without a policy; the last attempt's error knows those of all. `Programming` also where the policy does not
    /// go with the options.
    ///
    /// # Cancellation
    /// As without a policy; during a wait nothing is held.
    pub async fn run<T, E, F>(self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Session<DB>) -> Result<T, E> + Clone,
        E: ManagedError,
    {
        let mut call = self.call(Some(self.policy));
        loop {
            let mut attempt = call.begin();
            let limits = attempt.limits();
            let session = attempt.session();
            let ended = {
                let body = body.clone();
                shielded(limits, async move { body(session).await }).await
            };
            match attempt.finish(ended).await {
                ControlFlow::Break(result) => return result,
                ControlFlow::Continue(()) => {}
            }
        }
    }
}

impl<DB: Backend, P> fmt::Debug for NamedOperation<'_, DB, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NamedOperation")
            .field("name", &self.operation.name())
            .finish_non_exhaustive()
    }
}
