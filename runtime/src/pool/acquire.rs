//! Waiting for a connection.

use std::io::ErrorKind;
use std::time::Duration;

use deadpool::managed::{Object, PoolError};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SessionPool;
use super::loan::{Connector, Loan};
use super::seats::Seat;
use crate::backend::Backend;
use crate::error::{Category, Error, Phase, Retry, verdict};
use crate::retry::Reconnect;
use crate::shield::Busy;

const CHECK_SERVER: &str = "see that the server runs, and that host and port are right";
const CHECK_CERTIFICATES: &str =
    "see that the certificate of each side is valid, made for its name, and trusted by the other";

impl<DB: Backend> SessionPool<DB> {
    /// A proven connection by `until`. Dropped while it waits, it gives up its place and nothing else.
    pub(crate) async fn loan(
        &self,
        turn: Option<OwnedSemaphorePermit>,
        until: Instant,
    ) -> Result<Loan<DB>, Error> {
        let began = Instant::now();
        expect_runtime(Phase::Acquire)?;
        let mut turn = turn;
        let mut reconnect = Reconnect::new();
        let mut busy = Busy::until(until);
        let mut last = None;
        let lent_before = self.shared.tally.lent();
        loop {
            let mut seated = None;
            let link = timeout_at(until, self.link(&mut seated));
            match self.while_open(link).await? {
                Ok(Ok((link, seat))) => {
                    self.shared.tally.lends();
                    // From the first connection on: before it there is nothing to maintain.
                    self.shared.keep_maintained();
                    return Ok(Loan::new(link, seat, turn));
                }
                // Opening reads the schema, which is refused where somebody writes and there is no WAL.
                Ok(Err(PoolError::Backend(error))) if DB::is_busy(&error) => {
                    if turn.is_none() {
                        turn = self.turn(until).await?;
                    }
                    if !busy.wait().await {
                        return Err(Error::from_driver(error, Phase::Acquire));
                    }
                    last = Some(error);
                }
                Ok(Err(PoolError::Backend(error))) => {
                    let again = Instant::now() + reconnect.pause();
                    if !is_transient(&error) {
                        let options = self.shared.links.manager().line.options();
                        let help = DB::diagnose(options, &error);
                        let error = Error::from_driver(error, Phase::Acquire);
                        return Err(match help {
                            Some(help) => error.with_help(help),
                            None => error,
                        });
                    }
                    if again >= until {
                        return Err(unreachable(error, began.elapsed()));
                    }
                    last = Some(error);
                    sleep_until(again).await;
                }
                Ok(Err(PoolError::Closed)) => return Err(closed()),
                Ok(Err(other)) => {
                    return Err(Error::new(
                        Category::Internal,
                        Phase::Acquire,
                        other.to_string(),
                    ));
                }
                Err(_elapsed) => {
                    return Err(match last {
                        Some(error) if DB::is_busy(&error) => {
                            Error::from_driver(error, Phase::Acquire)
                        }
                        Some(error) => unreachable(error, began.elapsed()),
                        None => {
                            // Most of the time went into connecting, or all of it for those ahead.
                            let connects = seated.is_some_and(|at| at - began < until - at);
                            let nobody_was_served = self.shared.tally.lent() == lent_before
                                && self.stats().in_use < self.stats().max;
                            if connects || nobody_was_served {
                                silent(began.elapsed())
                            } else {
                                self.exhausted(began.elapsed())
                            }
                        }
                    });
                }
            }
        }
    }

    /// What a wait comes to, unless the pool is closed meanwhile.
    async fn while_open<F: Future>(&self, wait: F) -> Result<F::Output, Error> {
        // Made ahead of the look: a closing in between wakes it also where it was not polled yet.
        let closing = self.shared.closing.notified();
        if self.is_closed() {
            return Err(closed());
        }
        tokio::select! {
            biased;
            output = wait => Ok(output),
            () = closing => Err(closed()),
        }
    }

    async fn link(
        &self,
        seated: &mut Option<Instant>,
    ) -> Result<(Object<Connector<DB>>, Seat), PoolError<sqlx::Error>> {
        let seat = self.shared.seats.take().await.ok_or(PoolError::Closed)?;
        *seated = Some(Instant::now());
        Ok((self.shared.links.get().await?, seat))
    }

    /// Whether its database has one writer at a time.
    pub(crate) fn has_gate(&self) -> bool {
        self.shared.gate.is_some()
    }

    /// This session's turn among the writers of its database.
    pub(crate) async fn turn(&self, until: Instant) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(gate) = &self.shared.gate else {
            return Ok(None);
        };
        expect_runtime(Phase::Acquire)?;
        let began = Instant::now();
        let turn = timeout_at(until, std::sync::Arc::clone(gate).acquire_owned());
        match self.while_open(turn).await? {
            Ok(Ok(permit)) => Ok(Some(permit)),
            // The gate itself is never closed.
            Ok(Err(_)) => Err(closed()),
            Err(_elapsed) => Err(Error::new(
                Category::LockTimeout,
                Phase::Acquire,
                format!(
                    "other sessions of this process were writing for {:.1?}",
                    began.elapsed()
                ),
            )
            .with_help(
                "keep write sessions short, and declare those that only read as `read_only`",
            )),
        }
    }

    fn exhausted(&self, waited: Duration) -> Error {
        let stats = self.stats();
        Error::new(
            Category::Capacity,
            Phase::Acquire,
            format!(
                "no connection became free within {waited:.1?}, with {} of {} in use and {} waiting",
                stats.in_use, stats.max, stats.waiting
            ),
        )
        .with_help("keep sessions shorter, or raise `max_connections`")
    }
}

/// Every wait has a deadline, and a timer needs a runtime.
pub(super) fn expect_runtime(phase: Phase) -> Result<(), Error> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            Category::Programming,
            phase,
            "there is no tokio runtime here",
        )
        .with_help("call this from within a tokio runtime")),
    }
}

fn silent(waited: Duration) -> Error {
    Error::new(
        Category::Connection,
        Phase::Acquire,
        format!("the server did not answer within {waited:.1?}"),
    )
    .with_help(CHECK_SERVER)
}

fn is_transient(error: &sqlx::Error) -> bool {
    let verdict = verdict(error);
    // A socket's file that is not there will be when the server is.
    matches!(error, sqlx::Error::Io(_))
        || (verdict.category.is_transient() && verdict.retry != Retry::Never)
}

fn unreachable(error: sqlx::Error, waited: Duration) -> Error {
    let (category, help) = match &error {
        sqlx::Error::Tls(_) => (Category::Connection, CHECK_CERTIFICATES),
        // What rustls refuses.
        sqlx::Error::Io(inner) if inner.kind() == ErrorKind::InvalidData => {
            (Category::Connection, CHECK_CERTIFICATES)
        }
        sqlx::Error::Io(_) => (Category::Connection, CHECK_SERVER),
        error => (verdict(error).category, CHECK_SERVER),
    };
    Error::new(
        category,
        Phase::Acquire,
        format!("could not connect within {waited:.1?}: {error}"),
    )
    .with_help(help)
    .with_source(error)
}

pub(crate) fn closed() -> Error {
    Error::new(Category::Closed, Phase::Acquire, "the pool is closed")
}
