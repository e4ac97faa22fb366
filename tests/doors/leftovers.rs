//! What a lease may leave beside a transaction, in every way it may end: the next user of the connection finds nothing.

mod mysql;
mod postgres;
mod sqlite;

use std::time::Duration;

use steadfast::{Backend, Lease, SessionPool};

use crate::support::{drop_after, quiet};

/// How a lease ends.
const ENDS: [&str; 4] = ["release", "drop", "mid-statement", "without a runtime"];

/// Ends a lease and waits until its connection is given back or closed.
async fn end<DB: Backend>(
    pool: &SessionPool<DB>,
    mut lease: Lease<DB>,
    how: &str,
    slow: impl AsyncFnOnce(&mut Lease<DB>),
) {
    match how {
        "release" => {
            let _ = pool.release(lease).await;
        }
        "drop" => drop(lease),
        "mid-statement" => {
            let running = drop_after(slow(&mut lease), Duration::from_millis(40)).await;
            assert!(running.is_none(), "the slow statement is slow");
            drop(lease);
        }
        _ => std::thread::spawn(move || drop(lease)).join().unwrap(),
    }
    assert!(quiet(pool).await < Duration::from_secs(1), "{how}");
}
