//! Waiting for a connection.

use std::time::Duration;

use deadpool::managed::PoolError;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SessionPool;
use super::lease::Lease;
use crate::backend::Backend;
use crate::error::{Category, Error, Phase, Retry, verdict};
use crate::retry::Reconnect;

impl<DB: Backend> SessionPool<DB> {
    /// A proven connection by `until`. Dropped while it waits, it gives up its place and nothing else.
    pub(crate) async fn lease(
        &self,
        turn: Option<OwnedSemaphorePermit>,
        until: Instant,
    ) -> Result<Lease<DB>, Error> {
        let began = Instant::now();
        if Handle::try_current().is_err() {
            return Err(Error::new(
                Category::Programming,
                Phase::Acquire,
                "there is no tokio runtime here: call this from within one",
            ));
        }
        self.shared.keep_maintained();
        let mut reconnect = Reconnect::new();
        let mut last = None;
        loop {
            match timeout_at(until, self.shared.links.get()).await {
                Ok(Ok(link)) => return Ok(Lease::new(link, turn)),
                Ok(Err(PoolError::Backend(error))) => {
                    let again = Instant::now() + reconnect.pause();
                    // A SQLite file that another process is just switching to WAL answers BUSY.
                    let transient = is_transient(&error) || DB::is_busy(&error);
                    if !transient {
                        return Err(Error::from_driver(error, Phase::Acquire));
                    }
                    if again >= until {
                        return Err(unreachable(error, began.elapsed()));
                    }
                    last = Some(error);
                    sleep_until(again).await;
                }
                Ok(Err(PoolError::Closed)) => return Err(closed()),
                Ok(Err(other)) => {
                    return Err(Error::new(Category::Internal, Phase::Acquire, other.to_string()));
                }
                Err(_elapsed) => {
                    return Err(match last {
                        Some(error) => unreachable(error, began.elapsed()),
                        None => self.exhausted(began.elapsed()),
                    });
                }
            }
        }
    }

    /// This session's turn among the writers of its database.
    pub(crate) async fn turn(
        &self,
        until: Instant,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(gate) = &self.shared.gate else { return Ok(None) };
        let began = Instant::now();
        match timeout_at(until, std::sync::Arc::clone(gate).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            // The gate is never closed.
            Ok(Err(_)) => Err(closed()),
            Err(_elapsed) => Err(Error::new(
                Category::LockTimeout,
                Phase::Acquire,
                format!(
                    "another session of this process was writing for {:.1?}: keep write sessions short, or \
                     declare those that only read as `read_only`",
                    began.elapsed()
                ),
            )),
        }
    }

    fn exhausted(&self, waited: Duration) -> Error {
        let stats = self.stats();
        Error::new(
            Category::Capacity,
            Phase::Acquire,
            format!(
                "no connection became free within {waited:.1?} ({} of {} in use, {} waiting): raise \
                 `max_connections`, or keep sessions shorter",
                stats.in_use, stats.max, stats.waiting
            ),
        )
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    let verdict = verdict(error);
    verdict.category.is_transient() && verdict.retry != Retry::Never
}

fn unreachable(error: sqlx::Error, waited: Duration) -> Error {
    let category = verdict(&error).category;
    Error::new(
        category,
        Phase::Acquire,
        format!("could not connect within {waited:.1?}: {error}; see that the server runs, and that host and port are right"),
    )
    .with_source(error)
}

fn closed() -> Error {
    Error::new(Category::Closed, Phase::Acquire, "the pool is closed: it takes no more work")
}
