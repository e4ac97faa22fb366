//! One attempt of a call: a session of its own, or a level of the caller's, around one run of the body.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::pin::Pin;

use super::Session;
use super::call::State;
use super::place::Place;
use super::savepoint::exchanged;
use crate::backend::Backend;
use crate::error::{Error, ManagedError, Outcome, Phase, Summary};
use crate::pool::timed_out;
use crate::shield::{Ended, Limits};

/// One run of the body.
pub struct Attempt<'c, DB: Backend> {
    place: Place<'c, DB>,
    /// Which session the body was given.
    given: u64,
    state: &'c mut State,
}

impl<'c, DB: Backend> Attempt<'c, DB> {
    pub(super) fn new(mut place: Place<'c, DB>, state: &'c mut State) -> Self {
        let given = place.session().serial();
        Self {
            place,
            given,
            state,
        }
    }

    /// What bounds the body.
    pub fn limits(&mut self) -> Limits {
        let deadline = self.session().deadline();
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
        self.place.session()
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
        E: ManagedError,
    {
        let result = self.end(ended).await;
        if let Err(error) = &result {
            self.place.watch(error);
        }
        self.state.answered(result)
    }

    /// Ends the attempt of a function that retries: `Continue` when another is due, after the wait.
    ///
    /// # Panics
    /// As [`conclude`](Self::conclude).
    pub async fn finish<T, E>(mut self, ended: Ended<Result<T, E>>) -> ControlFlow<Result<T, E>>
    where
        E: ManagedError,
    {
        let mut error = match self.end(ended).await {
            Ok(value) => {
                return ControlFlow::Break(self.state.answered(Ok(value)));
            }
            Err(error) => error,
        };
        self.place.watch(&error);
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
        E: ManagedError,
    {
        self.state.is_own = !matches!(ended, Ended::Returned(Err(_)));
        match ended {
            Ended::Returned(Ok(value)) => match self.keep().await {
                Ok(()) => Ok(value),
                Err(error) => {
                    self.state.outcome = Some(error.outcome());
                    Err(self.state.tell(E::from(error)))
                }
            },
            Ended::Returned(Err(error)) => {
                self.place
                    .fail(|| error.fault().as_ref().map(Summary::of_fault));
                self.state.outcome = Some(self.undo().await);
                Err(self.state.tell(error))
            }
            Ended::Panicked(payload) => {
                self.undo().await;
                self.state.entry.panicked();
                resume_unwind(payload)
            }
            Ended::TimedOut => {
                self.place
                    .fail(|| Some(Summary::of_error(&timed_out(Phase::Body))));
                self.state.outcome = Some(self.undo().await);
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
                Place::Own(session) if session.serial() != self.given => {
                    session.custody().roll_back_in_time().await;
                    Err(exchanged())
                }
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
                Place::Own(session) => {
                    let is_exchanged = session.serial() != self.given;
                    let outcome = session.custody().roll_back_in_time().await;
                    if is_exchanged {
                        Outcome::Unknown
                    } else {
                        outcome
                    }
                }
                Place::Callers(borrowed) => {
                    let outcome = borrowed.undo().await;
                    self.state.entry.ended(Some(outcome));
                    outcome
                }
            }
        })
    }
}
