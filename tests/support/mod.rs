//! What every behaviour needs: a fresh place in a database, a plain connection beside it, and the same names
//! on each of the three.

pub mod mysql;
pub mod postgres;
pub mod sqlite;

use std::future::Future;
use std::time::{Duration, Instant};

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

/// Polls a future `polls` times, giving everything else a turn in between, and drops it. `Some` if it ended.
pub async fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context)))
                .await;
        if let std::task::Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Drops a future after some time, unless it has ended.
pub async fn drop_after<F: Future>(future: F, after: Duration) -> Option<F::Output> {
    tokio::time::timeout(after, future).await.ok()
}
