//! One call of an annotated function: the steps that the macros' expansion takes.
//!
//! `OPERATION.call(source)` → `begin()` → `limits()`, `session()` → the body under
//! [`shielded`](crate::shield::shielded) → `conclude(ended)`, or `finish(ended)` where the function retries.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Span;

use super::Session;
use super::savepoint::Level;
use super::source::{Origin, SessionSource};
use crate::backend::{Access, Backend, Begin};
use crate::error::{Category, Classify, Error, Outcome, Phase};
use crate::isolation::Isolation;
use crate::operation::Operation;
use crate::pool::{AFTER_DEADLINE, Custody, Entry, timed_out};
use crate::retry::{RetryPolicy, Retrying};
use crate::shield::{Ended, Limits};

impl Operation {
    /// Starts a call. Nothing is sent.
    #[doc(hidden)]
    pub fn call<'s, DB, S>(&'static self, source: S) -> Call<'s, DB>
    where
        DB: Backend,
        S: SessionSource<DB> + 's,
    {
        let options = self.session_options();
        let origin = source.into_origin();
        let nested = matches!(origin, Origin::Session(_));
        let entry = Entry::new(self, nested);
        let span = tracing::info_span!(
            "steadfast.call",
            operation = self.name(),
            id = entry.id,
            db.system.name = DB::SYSTEM,
        );
        let begin = Begin {
            access: if options.is_read_only() {
                Access::Read
            } else {
                Access::Write
            },
            isolation: options.isolation_level(),
            limit: None,
        };
        let deadline = options.time_limit().map(|limit| Instant::now() + limit);
        let state = State {
            entry,
            span,
            begin,
            deadline,
            retrying: None,
            outcome: None,
            refused: None,
        };
        let call = Call { origin, state };
        match self.policy() {
            Some(policy) => call.retrying(*policy),
            None => call,
        }
    }
}

/// A call on its way.
pub struct Call<'s, DB: Backend> {
    origin: Origin<'s, DB>,
    state: State,
}

/// What the attempts of a call share.
struct State {
    entry: Arc<Entry>,
    span: Span,
    begin: Begin,
    deadline: Option<Instant>,
    /// Only the outermost call can start over, and only one with a policy keeps account of it.
    retrying: Option<Box<Retrying>>,
    /// What the session of the latest attempt ended in.
    outcome: Option<Outcome>,
    refused: Option<Error>,
}

impl<DB: Backend> Call<'_, DB> {
    /// Retries under a policy made at run time.
    #[must_use]
    pub fn retrying(mut self, policy: RetryPolicy) -> Self {
        let is_outermost = matches!(self.origin, Origin::Pool(_));
        self.state.retrying =
            (is_outermost && policy.max_attempts() > 1).then(|| Box::new(Retrying::new(policy)));
        self
    }

    /// Starts an attempt. Nothing is sent before its first statement.
    pub fn begin(&mut self) -> Attempt<'_, DB> {
        let state = &mut self.state;
        state.entry.next_attempt();
        let place = match &mut self.origin {
            Origin::Pool(pool) => {
                let custody = Custody::new(
                    pool.clone(),
                    Arc::clone(&state.entry),
                    state.begin,
                    state.deadline,
                );
                Place::Own(Box::new(Session::new(custody)))
            }
            Origin::Session(session) => {
                state.refused = mismatch(state.begin, session.custody().begin(), DB::NAME);
                Place::Callers(Borrowed::new(session, state.deadline))
            }
        };
        Attempt { place, state }
    }
}

/// An inner call that asks for what the outer transaction does not give would get less than it was promised.
fn mismatch(inner: Begin, outer: Begin, database: &str) -> Option<Error> {
    let refuse = |message: String, help: String| {
        Some(Error::new(Category::Programming, Phase::Begin, message).with_help(help))
    };
    match (inner.access, outer.access) {
        (Access::Read, Access::Write) => {
            return refuse(
                "a `read_only` function was called inside a session that writes".to_owned(),
                "call it with a pool, or remove its `read_only`".to_owned(),
            );
        }
        (Access::Write, Access::Read) => {
            return refuse(
                "a function that may write was called inside a `read_only` session".to_owned(),
                "declare it `read_only` too, or call it with a pool".to_owned(),
            );
        }
        _ => {}
    }
    // Where the outer one asks for no level the server's default holds, which may be any.
    match (inner.isolation, outer.isolation) {
        (Some(level), None) if database == "SQLite" => {
            debug_assert_eq!(
                level,
                Isolation::Serializable,
                "the macro refuses any other"
            );
            None
        }
        (Some(level), outer) if outer.is_none_or(|outer| level > outer) => refuse(
            format!("a function with `isolation = {level}` was called inside a session without"),
            format!("give the outer function `isolation = {level}`, or call this one with a pool"),
        ),
        _ => None,
    }
}

/// One run of the body.
pub struct Attempt<'c, DB: Backend> {
    place: Place<'c, DB>,
    state: &'c mut State,
}

/// Dropped before it has ended, either rolls back: a session of its own through the reaper, the caller's at
/// its next statement.
enum Place<'c, DB: Backend> {
    Own(Box<Session<DB>>),
    Callers(Borrowed<'c, DB>),
}

/// The caller's session, one level deeper, under the earlier of two deadlines.
struct Borrowed<'c, DB: Backend> {
    level: Option<Level<'c, DB>>,
    former: Option<Instant>,
}

impl<'c, DB: Backend> Borrowed<'c, DB> {
    fn new(session: &'c mut Session<DB>, deadline: Option<Instant>) -> Self {
        let outer = session.custody().deadline();
        let earlier = deadline.into_iter().chain(outer).min();
        let former = session.custody().replace_deadline(earlier);
        Self {
            level: Some(Level::enter(session)),
            former,
        }
    }

    fn level(&mut self) -> &mut Level<'c, DB> {
        match &mut self.level {
            Some(level) => level,
            None => unreachable!("a nested call has its level until it ends"),
        }
    }

    async fn leave_well(&mut self) -> Result<(), Error> {
        let former = self.former;
        self.level().session.custody().replace_deadline(former);
        match self.level.take() {
            Some(level) => level.leave_well().await,
            None => Ok(()),
        }
    }
}

impl<DB: Backend> Drop for Borrowed<'_, DB> {
    fn drop(&mut self) {
        if let Some(level) = &mut self.level {
            level.session.custody().replace_deadline(self.former);
        }
    }
}

impl<DB: Backend> Attempt<'_, DB> {
    /// What bounds the body.
    pub fn limits(&mut self) -> Limits {
        let deadline = match &mut self.place {
            Place::Own(session) => session.deadline(),
            Place::Callers(borrowed) => borrowed.level().session.deadline(),
        };
        let span = tracing::info_span!(
            parent: &self.state.span,
            "steadfast.attempt",
            attempt = self.state.entry.attempt(),
        );
        Limits {
            deadline,
            span,
            refused: self.state.refused.is_some(),
        }
    }

    /// The session that the body gets.
    pub fn session(&mut self) -> &mut Session<DB> {
        match &mut self.place {
            Place::Own(session) => session,
            Place::Callers(borrowed) => borrowed.level().session,
        }
    }

    /// Ends the attempt of a function that does not retry.
    ///
    /// # Errors
    /// The body's own; where that was well, the one that keeping its work met.
    ///
    /// # Panics
    /// Resumes the body's panic, once the session has been rolled back.
    pub async fn conclude<T, E>(mut self, ended: Ended<Result<T, E>>) -> Result<T, E>
    where
        E: Classify + From<Error>,
    {
        let result = self.end(ended).await;
        self.state.answered(result)
    }

    /// Ends the attempt of a function that retries: `Continue` when another is due, after the wait.
    ///
    /// # Panics
    /// As [`conclude`](Self::conclude).
    pub async fn finish<T, E>(mut self, ended: Ended<Result<T, E>>) -> ControlFlow<Result<T, E>>
    where
        E: Classify + From<Error>,
    {
        let mut error = match self.end(ended).await {
            Ok(value) => {
                return ControlFlow::Break(self.state.answered(Ok(value)));
            }
            Err(error) => error,
        };
        let Some(pause) = self.state.pause_after(&mut error) else {
            return ControlFlow::Break(self.state.answered(Err(error)));
        };
        // The failed attempt is gone, its connection back in the pool, before the wait.
        drop(error);
        drop(self);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        ControlFlow::Continue(())
    }

    /// Ends the session and tells what came of it. The error of the body is the answer; what clean-up meets
    /// is not.
    async fn end<T, E>(&mut self, ended: Ended<Result<T, E>>) -> Result<T, E>
    where
        E: Classify + From<Error>,
    {
        match ended {
            Ended::Returned(Ok(value)) => match self.keep().await {
                Ok(()) => Ok(value),
                Err(error) => {
                    self.state.outcome = Some(error.outcome());
                    Err(self.state.tell(E::from(error)))
                }
            },
            Ended::Returned(Err(error)) => {
                self.state.outcome = Some(self.undo().await);
                Err(self.state.tell(error))
            }
            Ended::Panicked(payload) => {
                self.undo().await;
                self.state.entry.panicked();
                resume_unwind(payload)
            }
            Ended::TimedOut => {
                self.state.outcome = Some(self.undo_in_time().await);
                Err(self.state.tell(E::from(timed_out(Phase::Body))))
            }
            Ended::Refused => {
                let error = self.state.refused.take();
                let error = error.unwrap_or_else(|| timed_out(Phase::Begin));
                self.state.outcome = Some(Outcome::NotSent);
                Err(self.state.tell(E::from(error)))
            }
        }
    }

    /// Boxed: the futures of annotated functions hold a pointer and not the whole of an ending.
    fn keep(&mut self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        Box::pin(async move {
            match &mut self.place {
                Place::Own(session) => session.custody().commit().await.map(|_| ()),
                Place::Callers(borrowed) => {
                    let kept = borrowed.leave_well().await;
                    // The caller's session decides what becomes of it; the record says that it was kept.
                    let outcome = kept
                        .as_ref()
                        .err()
                        .map_or(Outcome::Committed, Error::outcome);
                    self.state.entry.ended(Some(outcome));
                    kept
                }
            }
        })
    }

    fn undo(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(async move {
            match &mut self.place {
                Place::Own(session) => session.custody().roll_back().await,
                Place::Callers(borrowed) => {
                    borrowed.undo();
                    // Undone ahead of anything else that the caller's session does, its end included.
                    self.state.entry.ended(Some(Outcome::RolledBack));
                    Outcome::RolledBack
                }
            }
        })
    }

    /// The caller waits for the proof a moment longer than its deadline; then the reaper goes on alone.
    async fn undo_in_time(&mut self) -> Outcome {
        timeout(AFTER_DEADLINE, self.undo())
            .await
            .unwrap_or(Outcome::NotSent)
    }
}

impl<DB: Backend> Borrowed<'_, DB> {
    fn undo(&mut self) {
        let former = self.former;
        self.level().session.custody().replace_deadline(former);
        self.level = None;
    }
}

impl State {
    /// Adds what the body could not know to the error that it returned. The operation that failed first stays
    /// named, and an outcome that is already in doubt stays so.
    fn tell<E: Classify>(&self, mut error: E) -> E {
        if let Some(inner) = error.session_error_mut() {
            if inner.operation().is_none() {
                inner.set_operation(self.entry.operation.name());
            }
            if let Some(outcome) = self.outcome
                && inner.outcome() == Outcome::NotSent
            {
                inner.set_outcome(outcome);
            }
            if self.begin.access == Access::Read && inner.category() == Category::ReadOnly {
                inner.set_category(Category::Programming);
            }
        }
        error
    }

    /// How long to wait before another attempt; where there is none the error gets those of all attempts.
    fn pause_after<E: Classify>(&mut self, error: &mut E) -> Option<Duration> {
        let retrying = self.retrying.as_mut()?;
        let failure = retrying.note(error);
        let pause = retrying.pause_after(&failure, self.deadline);
        match pause {
            Some(_) => self.entry.operation.record_retried(failure.category()),
            None => retrying.give_up(error),
        }
        pause
    }

    fn answered<T, E: Classify>(&self, result: Result<T, E>) -> Result<T, E> {
        self.entry
            .answered(result.as_ref().err().and_then(Classify::category));
        result
    }
}
