//! `&pool` as a sqlx executor: one statement in a session without a transaction.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::{Execute, Executor, SqlStr};
use tokio::time::{Instant, sleep};

use super::SessionPool;
use super::custody::Custody;
use super::registry::Entry;
use crate::backend::{Access, Backend, Begin, BoxFuture, Statement, Step};
use crate::error::{Category, Ends, Error, Outcome, Phase, Verdict, verdict};
use crate::operation::Operation;
use crate::pool::settings::LOCK_TIMEOUT;
use crate::shield::{WatchedFuture, WatchedStream, refuse};

/// What one statement on a pool is counted as.
static AUTOCOMMIT: Operation = Operation::new("steadfast::autocommit");

impl<DB: Backend> SessionPool<DB> {
    fn autocommit(&self) -> Custody<DB> {
        let begin = Begin {
            access: Access::Autocommit,
            ..Begin::default()
        };
        Custody::new(self.clone(), Entry::new(&AUTOCOMMIT, false), begin, None)
    }

    /// Runs one statement that answers once, and again where another process held the lock: it has done
    /// nothing then.
    async fn answer<T>(
        &self,
        statement: Statement<DB>,
        run: impl for<'c> Fn(
            &'c mut DB::Connection,
            Statement<DB>,
        ) -> BoxFuture<'c, Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        refuse(&statement, false)?;
        let mut statement = statement;
        let mut busy = Busy::new();
        let mut custody = self.autocommit();
        loop {
            custody.entry().next_attempt();
            custody.ready().await?;
            let spare = DB::again(&statement);
            let (connection, observer) = custody.machine().statement();
            let result = WatchedFuture::<DB, T>::new(run(connection, statement), observer).await;
            match (result, spare) {
                (Err(error), Some(spare)) if busy.again(&error, DB::is_busy) => {
                    busy.pause().await;
                    statement = spare;
                }
                (result, _) => return end(result, custody).await,
            }
        }
    }
}

/// How long a statement goes on being refused by another process's lock.
struct Busy {
    until: Instant,
    pause: std::time::Duration,
}

impl Busy {
    fn new() -> Self {
        Self {
            until: Instant::now() + LOCK_TIMEOUT,
            pause: std::time::Duration::from_millis(1),
        }
    }

    fn again(&self, error: &sqlx::Error, is_busy: fn(&sqlx::Error) -> bool) -> bool {
        is_busy(error) && Instant::now() + self.pause < self.until
    }

    async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(std::time::Duration::from_millis(50));
    }
}

/// Ends a session whose only statement failed, and tells what is not known about it.
async fn end_failed<DB: Backend>(mut custody: Custody<DB>, error: sqlx::Error) -> sqlx::Error {
    let Verdict { category, ends, .. } = verdict(&error);
    let entry = Arc::clone(custody.entry());
    if ends == Ends::Connection {
        custody.roll_back().await;
        // Sent, and no answer came: the server may have done it.
        entry.ended(Some(Outcome::Unknown));
        entry.answered(Some(Category::CommitUnknown));
        return Error::from_driver(error, Phase::Body)
            .with_category(Category::CommitUnknown)
            .with_outcome(Outcome::Unknown)
            .into();
    }
    // Answered: the statement undid itself, and nothing is open.
    custody.end_answered();
    entry.ended(Some(Outcome::RolledBack));
    entry.answered(Some(category));
    error
}

impl<'p, DB: Backend> Executor<'p> for &'p SessionPool<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        let slot = Slot::default();
        let yields = slot.clone();
        let run = async move {
            refuse(&statement, false)?;
            let mut statement = statement;
            let mut busy = Busy::new();
            let mut custody = self.autocommit();
            loop {
                custody.entry().next_attempt();
                custody.ready().await?;
                let spare = DB::again(&statement);
                let (connection, observer) = custody.machine().statement();
                let stream = DB::fetch_many(connection, statement);
                let mut stream = WatchedStream::<DB>::new(stream, observer);
                let mut has_answered = false;
                let failed = loop {
                    match std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context))
                        .await
                    {
                        Some(Ok(step)) => {
                            has_answered = true;
                            yields.give(step).await;
                        }
                        Some(Err(error)) => break Some(error),
                        None => break None,
                    }
                };
                drop(stream);
                match (failed, spare) {
                    (Some(error), Some(spare))
                        if !has_answered && busy.again(&error, DB::is_busy) =>
                    {
                        busy.pause().await;
                        statement = spare;
                    }
                    (failed, _) => return end(failed.map_or(Ok(()), Err), custody).await,
                }
            }
        };
        Box::pin(Steps::<DB> {
            run: Some(Box::pin(run)),
            slot,
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        Box::pin(self.answer(statement, |connection, statement| {
            DB::fetch_optional(connection, statement)
        }))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut custody = self.autocommit();
            custody.entry().next_attempt();
            custody.ready().await?;
            let (connection, observer) = custody.machine().statement();
            let prepared = DB::prepare_with(connection, sql, parameters);
            end(
                WatchedFuture::<DB, _>::new(prepared, observer).await,
                custody,
            )
            .await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<DB>, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut custody = self.autocommit();
            custody.entry().next_attempt();
            custody.ready().await?;
            let (connection, observer) = custody.machine().statement();
            let described = DB::describe(connection, sql);
            end(
                WatchedFuture::<DB, _>::new(described, observer).await,
                custody,
            )
            .await
        })
    }
}

async fn end<DB: Backend, T>(
    result: Result<T, sqlx::Error>,
    mut custody: Custody<DB>,
) -> Result<T, sqlx::Error> {
    match result {
        Ok(value) => {
            custody.commit().await?;
            custody.entry().answered(None);
            Ok(value)
        }
        Err(error) => Err(end_failed(custody, error).await),
    }
}

/// Hands one step at a time from the future that runs a statement to the stream that it is read as.
struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives a step and waits until it has been taken. No wake is needed: the reader has the step, and polls
    /// again when it wants another.
    async fn give(&self, step: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        std::future::poll_fn(|_| {
            let taken = self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none();
            if taken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// A future that owns its session, read as a stream: a stream that borrows from what it owns cannot be
/// written without `unsafe`.
struct Steps<'e, DB: Backend> {
    run: Option<BoxFuture<'e, Result<(), sqlx::Error>>>,
    slot: Slot<Step<DB>>,
}

impl<DB: Backend> Stream for Steps<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(run) = &mut this.run else {
            return Poll::Ready(None);
        };
        let ended = run.as_mut().poll(context);
        if let Some(step) = this.slot.take() {
            return Poll::Ready(Some(Ok(step)));
        }
        match ended {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                this.run = None;
                Poll::Ready(result.err().map(Err))
            }
        }
    }
}
