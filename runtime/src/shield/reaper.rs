//! How a session ends whose work shall not stay: the ladder from a ROLLBACK to closing the connection.
//!
//! | step | when | bound |
//! |---|---|---|
//! | ROLLBACK | always; with a statement in flight it waits behind that | 5 ms grace, 500 ms without one |
//! | cancel on the server, over the endpoint's control connection (SQLite: the progress handler's flag) | a statement is in flight | 300 ms |
//! | ROLLBACK once more, and the proof | a cancel was sent: once its answer is there, and this ROLLBACK answered, it can hit nobody else | 500 ms |
//! | undo what else was left, on a connection that was lent by hand | its transaction is over | what is left of 800 ms |
//! | close, then terminate over the control connection | anything went unanswered | 1 s, without the slot |
//!
//! The bounds are measured: 5 ms lets a statement that is about to answer do so, and the slot is free within a second.
//! Nobody waits for what comes then.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::alarm::{timeout, timeout_at};
use super::life::Leftover;
use super::line::ControlLine;
use super::wire::{Carrier, Wire};
use crate::backend::{Driver, Scrubbed};
use crate::plant::{Plant, planted};

/// How long a statement may still answer by itself.
const GRACE: Duration = Duration::from_millis(5);
/// How long the server may take for a cancel.
const CANCEL: Duration = Duration::from_millis(300);
/// How long it may take for a rollback.
const ROLLBACK: Duration = Duration::from_millis(500);
/// How long it may take to end a connection that we have closed, the turn at the control connection included: behind one
/// answer that does not come others still have time for a fresh one.
const TERMINATE: Duration = Duration::from_secs(1);
/// The slot is free after this, whatever happened.
const LADDER: Duration = Duration::from_millis(800);

/// Rolls back and gives the carrier back where the connection is proven; closes it otherwise. Says too whether the
/// rollback has found that somebody had meddled.
pub(super) async fn roll_back<DB: Driver, L: Carrier<DB>>(
    mut carrier: L,
    leftover: Leftover,
    scrubs: bool,
) -> (Option<L>, bool) {
    let until = Instant::now() + bound(LADDER);
    let wire = carrier.wire();
    wire.mark_unproven();
    if planted(Plant::LeaseUnproven) {
        wire.mark_proven();
        return (Some(carrier), false);
    }
    let is_over = prove(wire, leftover, until).await;
    // Ahead of the scrubbing, which may make the tag anew.
    let meddled = DB::was_meddled_with(&wire.tag);
    if is_over && (!scrubs || scrub(&mut carrier, until).await) {
        carrier.wire().mark_proven();
        return (Some(carrier), meddled);
    }
    tracing::debug!("a connection could not be proven clean and is closed");
    close::<DB, L>(carrier);
    (None, meddled)
}

/// Closes a connection that did not answer, and has its server end it: left alone, the server would finish what it is
/// at and keep its locks until then.
pub(super) fn close<DB: Driver, L: Carrier<DB>>(mut carrier: L) {
    let wire = carrier.wire();
    let line = Arc::clone(&wire.line);
    let target = wire.tag.clone();
    drop(carrier);
    if let Ok(runtime) = Handle::try_current() {
        terminate::<DB>(&runtime, line, target);
    }
}

/// Has the server end a connection that is closed at our end. Nobody waits for it.
pub(crate) fn terminate<DB: Driver>(runtime: &Handle, line: Arc<ControlLine<DB>>, target: DB::Tag) {
    if let Some(sql) = DB::terminate(&target) {
        runtime.spawn(async move { line.send(&target, &sql, TERMINATE).await });
    }
}

/// Makes a connection that somebody had to himself what it was; `false` where that is not certain.
async fn scrub<DB: Driver, L: Carrier<DB>>(carrier: &mut L, until: Instant) -> bool {
    let scrubbed = async {
        let wire = carrier.wire();
        match DB::scrub(&mut wire.connection, &mut wire.tag).await? {
            Scrubbed::Clean => Ok(true),
            Scrubbed::InDoubt => Ok(false),
            Scrubbed::Reset => {
                if carrier.prepare().await? {
                    carrier.wire().learn().await?;
                }
                Ok::<_, sqlx::Error>(true)
            }
        }
    };
    match timeout_at(until, scrubbed).await {
        Ok(Ok(scrubbed)) => scrubbed,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a connection that was lent could not be tidied");
            false
        }
        Err(_elapsed) => false,
    }
}

async fn prove<DB: Driver>(wire: &mut Wire<DB>, leftover: Leftover, until: Instant) -> bool {
    // Seldom does anything run on a connection that was lent, and then the way to the server may be long.
    if leftover == Leftover::Unwatched && stop_by(wire, until).await.is_err() {
        return false;
    }
    let is_thorough = leftover != Leftover::Nothing;
    let in_flight = is_thorough && leftover != Leftover::Unwatched;
    let Wire {
        connection,
        tag,
        line,
        ..
    } = wire;
    let cancelled = {
        let mut rollback = DB::prove_clean(connection, tag, is_thorough);
        let patience = if in_flight { GRACE } else { bound(ROLLBACK) };
        match timeout(patience, &mut rollback).await {
            Ok(result) => {
                if in_flight && planted(Plant::CancelLate) {
                    cancel_late(Arc::clone(line), tag.clone());
                }
                return note(&result);
            }
            Err(_elapsed) if !in_flight => return false,
            Err(_elapsed) => {}
        }
        let (ended, cancelled) =
            tokio::join!(timeout_at(until, &mut rollback), cancel::<DB>(tag, line));
        // An error here is the cancelled statement's own, or the cancel hit the ROLLBACK: the next one tells.
        ended.is_ok() && cancelled
    };
    cancelled
        && match timeout_at(until, DB::prove_clean(connection, tag, true)).await {
            Ok(result) => note(&result),
            Err(_elapsed) => false,
        }
}

fn bound(bound: Duration) -> Duration {
    if planted(Plant::RollbackUnbounded) {
        Duration::from_hours(1)
    } else {
        bound
    }
}

fn note(result: &Result<(), sqlx::Error>) -> bool {
    if let Err(error) = result {
        tracing::debug!(%error, "a rollback failed");
    }
    result.is_ok() || planted(Plant::AnswerTaken)
}

/// What was read of a statement that was dropped.
pub(super) struct Rest {
    /// Its own error.
    pub(super) error: Option<sqlx::Error>,
    pub(super) was_cancelled: bool,
}

/// Stops a statement that was dropped while it ran, and reads its rest, so that the session can go on.
pub(super) async fn stop<DB: Driver>(wire: &mut Wire<DB>) -> Result<Rest, sqlx::Error> {
    stop_by(wire, Instant::now() + LADDER).await
}

async fn stop_by<DB: Driver>(wire: &mut Wire<DB>, until: Instant) -> Result<Rest, sqlx::Error> {
    let Wire {
        connection,
        tag,
        line,
        ..
    } = wire;
    let error = {
        let mut drain = DB::drain(connection, tag);
        if let Ok(result) = timeout(GRACE, &mut drain).await {
            let was_cancelled = false;
            return result.map(|error| Rest {
                error,
                was_cancelled,
            });
        }
        let (ended, cancelled) =
            tokio::join!(timeout_at(until, &mut drain), cancel::<DB>(tag, line));
        match ended {
            Ok(result) if cancelled => result?,
            _ => return Err(not_stopped()),
        }
    };
    // The flag of a cancel that came too late must not stop what comes next.
    match timeout_at(until, DB::drain(connection, tag)).await {
        Ok(result) => result.map(|_| Rest {
            error,
            was_cancelled: true,
        }),
        Err(_elapsed) => Err(not_stopped()),
    }
}

/// Stops the running statement; `true` where it is certain that this can hit nothing later.
async fn cancel<DB: Driver>(tag: &DB::Tag, line: &ControlLine<DB>) -> bool {
    DB::interrupt(tag);
    match DB::cancel(tag) {
        Some(sql) => line.send(tag, &sql, CANCEL).await,
        None => true,
    }
}

/// Nobody needs it any more, and nobody waits for it: whoever has the connection now is hit.
fn cancel_late<DB: Driver>(line: Arc<ControlLine<DB>>, tag: DB::Tag) {
    tokio::spawn(async move { cancel::<DB>(&tag, &line).await });
}

fn not_stopped() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "a dropped statement could not be stopped",
    ))
}
