//! What a lease may leave beside a transaction, in every way it may end: the next user of the connection finds nothing.

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use steadfast::{Backend, Lease, SessionPool};

use crate::support::{drop_when, quiet};

/// How a lease ends.
const ENDS: [&str; 4] = ["release", "drop", "mid-statement", "without a runtime"];

/// Ends a lease, in mid-statement once its slow statement `runs`, and waits until its connection is given back or
/// closed.
async fn end<DB: Backend>(
    pool: &SessionPool<DB>,
    mut lease: Lease<DB>,
    how: &str,
    runs: impl Future<Output = ()>,
    slow: impl AsyncFnOnce(&mut Lease<DB>),
) {
    match how {
        "release" => {
            let _ = pool.release(lease).await;
        }
        "drop" => drop(lease),
        "mid-statement" => {
            drop_when(runs, slow(&mut lease)).await;
            drop(lease);
        }
        _ => std::thread::spawn(move || drop(lease)).join().unwrap(),
    }
    quiet(pool).await;
}
