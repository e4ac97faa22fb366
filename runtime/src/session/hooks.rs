//! What a session does once it has ended.

use std::future::Future;

use super::Session;
use crate::backend::Backend;
use crate::error::Outcome;
use crate::pool::{Hook, HookOutput, Task};

/// # Hooks
///
/// Hooks belong to one attempt and run in the order in which they were given, once the session has ended and its
/// connection is back in the pool: a hook gets no session. The call answers behind them; it waits 5 s for them, or its
/// deadline and 100 ms, and then they go on alone. They run also when the owner of the session is gone, on the runtime
/// of its connection, and [`SessionPool::close`](crate::SessionPool::close) waits for them.
///
/// One that uses the pool has to be through before that is closed, as every other user of it.
///
/// Those given inside a savepoint or a nested call vanish when that is undone. One that fails or panics is logged
/// (target `steadfast::hooks`; its words at debug level, for they may hold values), counted in
/// [`OperationStats::hooks_failed`](crate::OperationStats::hooks_failed), and undoes nothing.
impl<DB: Backend> Session<DB> {
    /// Runs `hook` once the work is certainly committed, or ended well without a statement. Not where the outcome is
    /// [`Unknown`](Outcome::Unknown).
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(session: &mut steadfast::PgSession) -> Result<(), steadfast::Error> {
    /// sqlx::query("INSERT INTO orders DEFAULT VALUES").execute(&mut *session).await?;
    /// session.on_commit(async { println!("the order stands") });
    /// # Ok(()) }
    /// ```
    ///
    /// A hook that names the session does not compile: the transaction is over by then. One that needs the database
    /// takes a clone of the pool, which is cheap:
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(pool: &steadfast::PgSessionPool, session: &mut steadfast::PgSession) {
    /// let pool = pool.clone();
    /// session.on_commit(async move {
    ///     sqlx::query("NOTIFY orders").execute(&pool).await.map(drop)
    /// });
    /// # }
    /// ```
    pub fn on_commit<F>(&mut self, hook: F)
    where
        F: Future<Output: HookOutput> + Send + 'static,
    {
        self.custody.hook(Hook::Commit(Task::new(hook)));
    }

    /// Runs `hook` once it is certain that nothing of the work stays. Not where the outcome is
    /// [`Unknown`](Outcome::Unknown).
    pub fn on_rollback<F>(&mut self, hook: F)
    where
        F: Future<Output: HookOutput> + Send + 'static,
    {
        self.custody.hook(Hook::Rollback(Task::new(hook)));
    }

    /// Calls `hook` with whatever became of the work, once, however the session ends.
    pub fn on_end<F>(&mut self, hook: F)
    where
        F: FnOnce(Outcome) + Send + 'static,
    {
        self.custody.hook(Hook::End(Box::new(hook)));
    }
}
