//! What every behaviour needs: a fresh place in a database, a plain connection beside it, and the same names
//! on each of the three.

#[macro_use]
mod place;

mod clock;
pub mod costs;
pub mod forwarder;
mod lag;
pub mod logs;
pub mod mysql;
pub mod postgres;
pub mod private;
mod promise;
pub mod sqlite;

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use steadfast::__private::{ManagedError, Operation, shielded};

pub use clock::{Clock, about, leaping, overdue_in_statement, quiet_at_last, quiet_at_once};
pub use lag::Lag;
pub use promise::{PROMISED, TOO_BUSY, TRIES, forgiven, is_kept};

/// How long a condition may take: far more than it ever does, on a busy machine too, and less than the 30 seconds of
/// `SLOW`. What comes within it has not waited for such a statement to end.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the items once for each database, in a module of its name. In it, `Db`, `Session`, `Pool`, `Place`,
/// `sql` and the rest of that database's support module are in scope.
#[macro_export]
macro_rules! each_database {
    ($($item:item)*) => {
        $crate::each_server! { $($item)* }
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

/// Waits until the condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    let nap = async || tokio::time::sleep(Duration::from_millis(2)).await;
    until(what, condition, nap).await;
}

async fn until<F: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> F,
    nap: impl AsyncFn(),
) {
    let began = Instant::now();
    while !condition().await {
        assert!(
            began.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain: {what}"
        );
        nap().await;
    }
}

/// The answer of a call that does not wait for a slow statement to end.
pub async fn in_time<F: Future>(call: F) -> F::Output {
    let answer = tokio::time::timeout(PATIENCE, call).await;
    answer.unwrap_or_else(|_elapsed| panic!("no answer within {PATIENCE:?}"))
}

/// Drops a call once it has come so far.
pub async fn drop_when<F: Future<Output: Debug>>(so_far: impl Future<Output = ()>, call: F) {
    tokio::select! {
        ended = call => panic!("it was to be dropped, and ended: {ended:?}"),
        () = so_far => {}
    }
}

thread_local! {
    static WAITS_FOR_EVER: Cell<bool> = const { Cell::new(false) };
}

/// The end of a call that is dropped by `drop_waiting` once it has come so far.
pub async fn wait_for_ever<T>() -> T {
    WAITS_FOR_EVER.set(true);
    std::future::pending().await
}

/// Drops a call where it waits for ever. For tests on a runtime of one thread.
pub async fn drop_waiting<F: Future<Output: Debug>>(call: F) {
    WAITS_FOR_EVER.set(false);
    let so_far = eventually("it waits for ever", || async { WAITS_FOR_EVER.get() });
    drop_when(so_far, call).await;
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
pub async fn panic_of<F: Future<Output: Debug>>(future: F) -> String {
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
    assert!(is_quiet(pool), "{sessions:?} {stats:?}");
}

/// Waits until nobody holds anything of a pool.
pub async fn quiet<DB: steadfast::Backend>(pool: &steadfast::SessionPool<DB>) {
    eventually("the pool is quiet", || async { is_quiet(pool) }).await;
}

pub fn is_quiet<DB: steadfast::Backend>(pool: &steadfast::SessionPool<DB>) -> bool {
    let stats = pool.stats();
    pool.sessions().is_empty() && stats.in_use == 0 && stats.waiting == 0 && stats.reaping == 0
}
