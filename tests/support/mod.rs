//! What every behaviour needs: a fresh place in a database, a plain connection beside it, and the same names
//! on each of the three.

pub mod logs;
pub mod mysql;
pub mod postgres;
pub mod private;
pub mod sqlite;

use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use steadfast::__private::{ManagedError, Operation, shielded};

/// How long a condition may take; far more than it ever does.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the items once for each database, in a module of its name. In it, `Db`, `Session`, `Pool`, `Place`,
/// `sql` and the rest of that database's support module are in scope.
#[macro_export]
macro_rules! each_database {
    ($($item:item)*) => {
        mod postgres {
            #[allow(unused_imports)]
            use $crate::support::{self, postgres::*, *};
            $($item)*
        }
        mod mysql {
            #[allow(unused_imports)]
            use $crate::support::{self, mysql::*, *};
            $($item)*
        }
        mod sqlite {
            #[allow(unused_imports)]
            use $crate::support::{self, sqlite::*, *};
            $($item)*
        }
    };
}

/// A call made by hand, as the expansion of the attributes makes it, for options that tests choose at run time.
pub async fn managed<DB, T, E, S>(
    operation: &'static Operation,
    source: S,
    body: impl AsyncFn(&mut steadfast::Session<DB>) -> Result<T, E>,
) -> Result<T, E>
where
    DB: steadfast::Backend,
    S: steadfast::SessionSource<DB>,
    E: ManagedError,
{
    let body = &body;
    let mut call = operation.call::<DB, S>(source);
    loop {
        let mut attempt = call.begin();
        let limits = attempt.limits();
        let session = attempt.session();
        let ended = shielded(limits, async move { body(session).await }).await;
        match attempt.finish(ended).await {
            ControlFlow::Break(result) => return result,
            ControlFlow::Continue(()) => {}
        }
    }
}

/// Waits until the condition holds.
pub async fn eventually<F, C>(what: &str, mut condition: C)
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let began = Instant::now();
    while !condition().await {
        assert!(
            began.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Drops a future after some time, unless it has ended.
pub async fn drop_after<F: Future>(future: F, after: Duration) -> Option<F::Output> {
    tokio::time::timeout(after, future).await.ok()
}

/// As `each_database!`, for what only a server has: connections that break, locks of rows, deadlocks.
#[macro_export]
macro_rules! each_server {
    ($($item:item)*) => {
        mod postgres {
            #[allow(unused_imports)]
            use $crate::support::{self, postgres::*, *};
            $($item)*
        }
        mod mysql {
            #[allow(unused_imports)]
            use $crate::support::{self, mysql::*, *};
            $($item)*
        }
    };
}

/// The counters of the one operation whose name ends so.
pub fn stats(name: &str) -> steadfast::OperationStats {
    let found: Vec<_> = steadfast::operations()
        .filter(|operation| operation.name().ends_with(name))
        .collect();
    assert_eq!(found.len(), 1, "operations that end in {name}: {found:?}");
    found[0].stats()
}

/// An error that may pass by itself, as the driver reports it: no connection was free.
pub fn transient() -> steadfast::Error {
    sqlx::Error::PoolTimedOut.into()
}

/// What a test's chance starts from: `STEADFAST_SEED`, or a fresh one. To be printed.
pub fn seed() -> u64 {
    std::env::var("STEADFAST_SEED")
        .map(|seed| seed.parse().expect("STEADFAST_SEED must be a number"))
        .unwrap_or_else(|_| fastrand::u64(..))
}

/// Drives a future as a runtime does and drops it right behind its `polls`th poll. `Some` if it ended before.
pub async fn drop_at_poll<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Some(Box::pin(future));
    let mut left = polls;
    std::future::poll_fn(|context| {
        let Some(running) = future.as_mut().filter(|_| left > 0) else {
            return std::task::Poll::Ready(None);
        };
        left -= 1;
        match running.as_mut().poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending if left == 0 => {
                future = None;
                std::task::Poll::Ready(None)
            }
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

/// What a future panics with.
pub async fn panic_of<F: Future<Output: std::fmt::Debug>>(future: F) -> String {
    use futures_util::FutureExt as _;

    let payload = std::panic::AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("the panic's own text")).to_owned(),
    }
}

/// Asserts that nobody holds anything of a pool, now: what every call that was answered leaves behind.
#[track_caller]
pub fn assert_quiet<DB: steadfast::Backend>(pool: &steadfast::SessionPool<DB>) {
    let (sessions, stats) = (pool.sessions(), pool.stats());
    assert!(
        sessions.is_empty() && stats.in_use == 0 && stats.waiting == 0 && stats.reaping == 0,
        "{sessions:?} {stats:?}"
    );
}

/// Waits until nobody holds anything of a pool, and says how long that took.
pub async fn quiet<DB: steadfast::Backend>(pool: &steadfast::SessionPool<DB>) -> Duration {
    let began = Instant::now();
    eventually("the pool is quiet", || async {
        let stats = pool.stats();
        pool.sessions().is_empty() && stats.in_use == 0 && stats.waiting == 0 && stats.reaping == 0
    })
    .await;
    began.elapsed()
}
