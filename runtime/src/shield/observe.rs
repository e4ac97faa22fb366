//! What watches a user's statement: every poll and every answer goes through here into the life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::Stream;
use futures_core::stream::BoxStream;
use tracing::Span;

use super::life::Life;
use crate::backend::{BoxFuture, Driver, Step};
use crate::error::{Category, Ends, Error, Outcome, Phase, Summary, verdict};

/// The span of a statement, under the names of OpenTelemetry's conventions for databases; at debug level, where its
/// text may be shown. Values never are.
pub(super) fn span<DB: Driver>(text: &str) -> Span {
    tracing::debug_span!(
        target: "steadfast::statement",
        "steadfast.statement",
        db.system.name = DB::SYSTEM,
        db.operation.name = operation(text),
        db.query.text = text,
        db.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// The first word.
fn operation(text: &str) -> &str {
    let text = text.trim_start();
    let is_word = |byte: &u8| byte.is_ascii_alphabetic();
    let length = text.bytes().take_while(is_word).count();
    &text[..length]
}

/// The life of the session that a statement runs in, and the tag that says what the database did by itself.
pub(crate) struct Observer<'s, DB: Driver> {
    life: &'s mut Life,
    tag: &'s DB::Tag,
    span: Span,
    text: Text,
    /// When it will have reached the server's own limit.
    limit: Option<Instant>,
}

/// What the text of a statement shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Text {
    /// One that fails may leave a part of its work behind.
    pub(super) in_parts: bool,
    /// Its answer ends with a result.
    pub(super) has_result: bool,
}

impl<'s, DB: Driver> Observer<'s, DB> {
    pub(super) fn new(life: &'s mut Life, tag: &'s DB::Tag, span: Span, text: Text) -> Self {
        life.statement_sent(text.in_parts);
        DB::starts(tag);
        let limit = DB::limit(tag, life.in_transaction()).map(|limit| Instant::now() + limit);
        Self {
            life,
            tag,
            span,
            text,
            limit,
        }
    }

    fn answered(&mut self) {
        DB::ends(self.tag);
        self.life.statement_answered();
        self.see_rollback(Summary::rolled_back_by_database);
    }

    /// What the caller gets for an error of the driver.
    fn failed(&mut self, error: sqlx::Error, has_answered: bool) -> sqlx::Error {
        let verdict = verdict(&error);
        let ends = if DB::takes_transaction(self.tag, &error) {
            Ends::Transaction
        } else {
            verdict.ends
        };
        if verdict.loses_step(&error) {
            self.life.out_of_step();
        }
        // A lock that somebody else holds has refused the first part, if none has answered.
        let was_refused = DB::is_busy(&error) && !has_answered;
        if verdict.leaves_doubt()
            || (self.text.in_parts && !was_refused)
            || DB::kept_a_part(self.tag, &error)
        {
            self.life.statement_in_doubt();
        }
        let is_lost = verdict.leaves_doubt();
        if is_lost && ends == Ends::Connection {
            self.life.lose_connection();
        }
        let reached_limit = verdict.category == Category::Cancelled
            && self.limit.is_some_and(|limit| limit <= Instant::now())
            && !DB::stopped_by_request(&error);
        let (category, error) = if DB::ends(self.tag) || reached_limit {
            (Category::Timeout, Error::overran(error).into())
        } else {
            (verdict.category, error)
        };
        if !self.span.is_disabled() {
            self.span.record("error.type", category.as_str());
            if let Some(code) = Summary::of(&error).code() {
                self.span.record("db.response.status_code", code);
            }
        }
        self.life.statement_failed(ends, || Summary::of(&error));
        self.see_rollback(|| Summary::of(&error));
        // Whose connection was lost is known here and nowhere behind. So is, in a session by hand, that the work may be
        // there: there is no call around it whose end would tell. A mistake of the code nobody repeats.
        let outcome = if is_lost {
            self.life.outcome_of_loss()
        } else if verdict.category == Category::Programming {
            Outcome::NotSent
        } else {
            self.life.outcome_of_failure()
        };
        if is_lost || outcome == Outcome::Unknown {
            Error::from_driver(error, Phase::Body)
                .with_outcome(outcome)
                .into()
        } else {
            error
        }
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
    has_answered: bool,
    /// The latest step was a result, behind which nothing of its statement comes.
    has_ended: bool,
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
            has_answered: false,
            has_ended: false,
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
        let span = &this.observer.span;
        let step = ready!(span.in_scope(|| this.stream.as_mut().poll_next(context)));
        Poll::Ready(match step {
            Some(Ok(step)) => {
                this.has_answered = true;
                this.has_ended = step.is_left();
                this.observer.life.statement_yielded();
                Some(Ok(step))
            }
            Some(Err(error)) => {
                this.over = true;
                Some(Err(this.observer.failed(error, this.has_answered)))
            }
            None if this.observer.text.has_result && !this.has_ended => {
                this.over = true;
                let error = sqlx::Error::WorkerCrashed;
                Some(Err(this.observer.failed(error, this.has_answered)))
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
        let span = &this.observer.span;
        let result = ready!(span.in_scope(|| this.future.as_mut().poll(context)));
        Poll::Ready(match result {
            Ok(value) => {
                this.observer.answered();
                Ok(value)
            }
            // Whether one of several has answered it does not tell.
            Err(error) => Err(this.observer.failed(error, true)),
        })
    }
}
