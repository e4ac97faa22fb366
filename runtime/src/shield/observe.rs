//! What watches a user's statement: every poll and every answer goes through here into the life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;

use super::life::Life;
use crate::backend::{BoxFuture, Driver, Step};
use crate::error::{Ends, Error, Summary, verdict};

/// The life of the session that a statement runs in, and the tag that says what the database did by itself.
pub(crate) struct Observer<'s, DB: Driver> {
    life: &'s mut Life,
    tag: &'s DB::Tag,
}

impl<'s, DB: Driver> Observer<'s, DB> {
    pub(super) fn new(life: &'s mut Life, tag: &'s DB::Tag) -> Self {
        life.statement_sent();
        DB::starts(tag);
        Self { life, tag }
    }

    fn answered(&mut self) {
        DB::ends(self.tag);
        self.life.statement_answered();
        self.see_rollback(Summary::rolled_back_by_database);
    }

    /// What the caller gets for an error of the driver.
    fn failed(&mut self, error: sqlx::Error) -> sqlx::Error {
        let ends = if DB::takes_transaction(self.tag, &error) {
            Ends::Transaction
        } else {
            verdict(&error).ends
        };
        let error = if DB::ends(self.tag) {
            Error::overran(error).into()
        } else {
            error
        };
        self.life.statement_failed(ends, || Summary::of(&error));
        self.see_rollback(|| Summary::of(&error));
        error
    }

    fn see_rollback(&mut self, error: impl FnOnce() -> Summary) {
        if self.life.in_transaction() && DB::ended_by_itself(self.tag) {
            self.life.doom_session(error());
        }
    }
}

/// A statement's stream under observation. Dropped early, it leaves the life in `InStatement`, and whoever
/// uses the session next, or ends it, deals with what is left.
pub(crate) struct WatchedStream<'s, DB: Driver> {
    stream: BoxStream<'s, Result<Step<DB>, sqlx::Error>>,
    observer: Observer<'s, DB>,
    over: bool,
}

impl<'s, DB: Driver> WatchedStream<'s, DB> {
    pub(crate) fn new(
        stream: BoxStream<'s, Result<Step<DB>, sqlx::Error>>,
        observer: Observer<'s, DB>,
    ) -> Self {
        Self {
            stream,
            observer,
            over: false,
        }
    }
}

impl<DB: Driver> Stream for WatchedStream<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        this.observer.life.statement_polled();
        let step = ready!(this.stream.as_mut().poll_next(context));
        Poll::Ready(match step {
            Some(Ok(step)) => {
                this.observer.life.statement_yielded();
                Some(Ok(step))
            }
            Some(Err(error)) => {
                this.over = true;
                Some(Err(this.observer.failed(error)))
            }
            None => {
                this.over = true;
                this.observer.answered();
                None
            }
        })
    }
}

/// A statement's future under observation.
pub(crate) struct WatchedFuture<'s, DB: Driver, T> {
    future: BoxFuture<'s, Result<T, sqlx::Error>>,
    observer: Observer<'s, DB>,
}

impl<'s, DB: Driver, T> WatchedFuture<'s, DB, T> {
    pub(crate) fn new(
        future: BoxFuture<'s, Result<T, sqlx::Error>>,
        observer: Observer<'s, DB>,
    ) -> Self {
        Self { future, observer }
    }
}

impl<DB: Driver, T> Future for WatchedFuture<'_, DB, T> {
    type Output = Result<T, sqlx::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let result = ready!(this.future.as_mut().poll(context));
        Poll::Ready(match result {
            Ok(value) => {
                this.observer.answered();
                Ok(value)
            }
            Err(error) => Err(this.observer.failed(error)),
        })
    }
}
