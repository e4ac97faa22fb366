//! Futures that own the connection they work on.
//!
//! A control statement must not be interrupted by whoever drops a future of the caller's. Each is therefore
//! a future of its own that owns the carrier of the connection, has no borrow of anything, and is kept in
//! the session: dropping the caller's frame leaves it where it is, and the reaper takes it over as it is.

use std::borrow::Cow;
use std::future::{pending, poll_fn};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::alarm::{timeout, timeout_at};
use super::busy::Busy;
use super::life::Leftover;
use super::recovery::Recovery;
use super::wire::{Carrier, Wire};
use super::{lending, reaper};
use crate::backend::{Begin, BoxFuture, Driver, LENT};
use crate::plant::{Plant, planted};

/// Which control statement is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Open,
    Mark,
    Recover,
    Commit,
    RollBack,
}

/// What came of one. Without a carrier the connection is closed.
pub(crate) struct Answer<L> {
    pub(crate) carrier: Option<L>,
    /// `Ok(Some(_))` is what the unread rest of an earlier statement said.
    pub(crate) result: Result<Option<sqlx::Error>, sqlx::Error>,
    /// A rollback has found what somebody did unseen; see [`Driver::was_meddled_with`].
    pub(crate) meddled: bool,
}

/// A control statement on its way, with the connection it owns.
pub(crate) struct Owned<L> {
    pub(crate) control: Control,
    future: BoxFuture<'static, Answer<L>>,
}

impl<L: 'static> Owned<L> {
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Answer<L>> {
        let future = Pin::new(&mut self.future);
        // Code of the user's runs in it as well: what does to a new connection what shall be done to each.
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        polled.unwrap_or_else(|_payload| {
            // It is not to be polled again; dropped, it closes the connection.
            self.future = Box::pin(pending());
            Poll::Ready(Answer::lost(
                ErrorKind::Other,
                "a control statement panicked",
            ))
        })
    }

    /// BEGIN and what travels with it, by `until`; what is `lent` of the connection is proven by a savepoint then. A
    /// connection that is lent by hand is inspected.
    pub(crate) fn open<DB: Driver>(
        mut carrier: L,
        begin: Begin,
        lent: bool,
        inspects: bool,
        until: Instant,
    ) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let wire = carrier.wire();
            if !planted(Plant::BeginNotOwned) {
                wire.mark_unproven();
            }
            let mut sql = DB::begin(&mut wire.tag, &begin);
            if lent && DB::LENDS_IN_SAVEPOINT {
                sql.to_mut().push_str("; SAVEPOINT ");
                sql.to_mut().push_str(LENT);
            }
            let sent = async {
                let sql = if lent {
                    nested_batch::<DB>(wire, sql, true).await?;
                    Cow::Borrowed("")
                } else {
                    hush::<DB>(wire).await?;
                    sql
                };
                DB::open(&mut wire.connection, &mut wire.tag, sql).await?;
                if inspects {
                    DB::inspect(&mut wire.connection, &mut wire.tag).await?;
                }
                Ok(())
            };
            let answer = timeout_at(until, sent).await;
            if !matches!(answer, Ok(Ok(()))) {
                DB::forget_settings(&mut wire.tag);
            }
            let answer = match answer {
                // What ran ahead of the refused part of the batch is undone: it will be sent again.
                Ok(Err(error)) if DB::is_busy(&error) => {
                    let undone = DB::prove_clean(&mut wire.connection, &wire.tag, false).await;
                    if undone.is_ok() {
                        wire.mark_proven();
                    }
                    Ok(undone.and(Err(error)))
                }
                answer => answer,
            };
            Answer::of::<DB, _>(carrier, answer.map(|answer| answer.map(|()| None)))
        });
        Self {
            control: Control::Open,
            future,
        }
    }

    /// The savepoint batch ahead of a user statement, or of what is `lent`.
    pub(crate) fn mark<DB: Driver>(
        mut carrier: L,
        batch: String,
        lent: bool,
        patience: Duration,
    ) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let until = Instant::now() + patience;
            let wire = carrier.wire();
            let answer = timeout_at(until, nested_batch::<DB>(wire, batch.into(), lent)).await;
            Answer::of::<DB, _>(carrier, answer.map(|answer| answer.map(|()| None)))
        });
        Self {
            control: Control::Mark,
            future,
        }
    }

    /// Readies the connection of a session without a transaction for somebody who begins some.
    pub(crate) fn uncount<DB: Driver>(mut carrier: L, patience: Duration) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let wire = carrier.wire();
            let answer = timeout(patience, lending::uncount::<DB>(&mut wire.connection)).await;
            Answer::of::<DB, _>(carrier, answer.map(|answer| answer.map(|()| None)))
        });
        Self {
            control: Control::Mark,
            future,
        }
    }

    /// Ends what a dropped statement left, so that the connection is quiet.
    pub(crate) fn recover<DB: Driver>(
        mut carrier: L,
        recovery: Recovery,
        patience: Duration,
    ) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let answer = timeout(patience, recovery.run::<DB>(carrier.wire())).await;
            Answer::of::<DB, _>(carrier, answer)
        });
        Self {
            control: Control::Recover,
            future,
        }
    }

    /// COMMIT, sent again while another process holds the database's lock, until `busy_until`; given up
    /// without an answer after `patience`.
    pub(crate) fn commit<DB: Driver>(
        mut carrier: L,
        ahead: String,
        note: String,
        unseen: bool,
        busy_until: Instant,
        patience: Duration,
    ) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let until = Instant::now() + patience;
            let wire = carrier.wire();
            let mut batch = ahead;
            batch.push_str(&DB::commit(&wire.tag, unseen, &note));
            DB::permit_commit(&wire.tag);
            let mut busy = Busy::until(busy_until);
            let answer = loop {
                let sent = Cow::Owned(batch.clone());
                let answer = timeout_at(until, quiet_batch::<DB>(wire, sent)).await;
                let refused = matches!(&answer, Ok(Err(error)) if DB::is_busy(error));
                if !refused || !busy.wait().await {
                    break answer;
                }
                // What went ahead of it is done; only the COMMIT was refused.
                batch.clear();
                batch.push_str(&DB::commit(&wire.tag, unseen, ""));
            };
            let answer = match answer {
                Ok(Err(sqlx::Error::Database(_))) if planted(Plant::AnswerTaken) => Ok(Ok(())),
                answer => answer,
            };
            if matches!(answer, Ok(Ok(()))) {
                wire.mark_proven();
            }
            Answer::of::<DB, _>(carrier, answer.map(|answer| answer.map(|()| None)))
        });
        Self {
            control: Control::Commit,
            future,
        }
    }

    /// The ladder of the reaper. A connection that was lent by hand is scrubbed at its end.
    pub(crate) fn roll_back<DB: Driver>(carrier: L, leftover: Leftover, scrubs: bool) -> Self
    where
        L: Carrier<DB>,
    {
        let future = Box::pin(async move {
            let (carrier, meddled) = reaper::roll_back::<DB, L>(carrier, leftover, scrubs).await;
            Answer {
                carrier,
                result: Ok(None),
                meddled,
            }
        });
        Self {
            control: Control::RollBack,
            future,
        }
    }
}

impl<L> Answer<L> {
    /// Where no answer came in time nothing is known of the connection, and it is closed.
    fn of<DB: Driver, E>(
        carrier: L,
        answer: Result<Result<Option<sqlx::Error>, sqlx::Error>, E>,
    ) -> Self
    where
        L: Carrier<DB>,
    {
        match answer {
            Ok(result) => Self {
                carrier: Some(carrier),
                result,
                meddled: false,
            },
            Err(_elapsed) => {
                reaper::close::<DB, L>(carrier);
                let what = "the server did not answer a control statement in time";
                Self::lost(ErrorKind::TimedOut, what)
            }
        }
    }

    /// The connection is closed, and nobody knows what has become of what was sent.
    fn lost(kind: ErrorKind, what: &'static str) -> Self {
        Self {
            carrier: None,
            result: Err(sqlx::Error::Io(std::io::Error::new(kind, what))),
            meddled: false,
        }
    }
}

/// Drains the connection: sqlx hands an error that an earlier statement left on the wire to the next one, and does not
/// send that one at all.
async fn hush<DB: Driver>(wire: &mut Wire<DB>) -> Result<(), sqlx::Error> {
    if DB::LEAVES_ERRORS
        && let Some(leftover) = DB::drain(&mut wire.connection, &wire.tag).await?
    {
        return Err(leftover);
    }
    Ok(())
}

/// Sends a batch on a drained connection.
async fn quiet_batch<DB: Driver>(
    wire: &mut Wire<DB>,
    batch: Cow<'static, str>,
) -> Result<(), sqlx::Error> {
    hush::<DB>(wire).await?;
    DB::batch(&mut wire.connection, batch).await
}

/// The same; sqlx counts what it begins as a transaction where the connection is `lent` behind it.
async fn nested_batch<DB: Driver>(
    wire: &mut Wire<DB>,
    batch: Cow<'static, str>,
    lent: bool,
) -> Result<(), sqlx::Error> {
    hush::<DB>(wire).await?;
    if !lent || lending::depth::<DB>(&wire.connection) > 0 {
        return DB::open(&mut wire.connection, &mut wire.tag, batch).await;
    }
    lending::begin::<DB>(&mut wire.connection, batch.into_owned()).await
}

/// Drives what `poll` polls; the form in which a session's owner waits for an owned future.
pub(crate) async fn drive<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    poll_fn(poll).await
}
