//! One call of an annotated function or a named operation: the steps that the macros' expansion takes.
//!
//! `OPERATION.call(source)` → `begin()` → `limits()`, `session()` → the body under
//! [`shielded`](crate::shield::shielded) → `conclude(ended)`, or `finish(ended)` where the function retries.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::Session;
use super::attempt::Attempt;
use super::mismatch::mismatch;
use super::place::Place;
use super::source::{Origin, SessionSource};
use crate::backend::{Access, Backend, Begin};
use crate::error::{Category, Classify, Error, ManagedError, Outcome};
use crate::operation::{Nested, Operation, Options};
use crate::pool::{Custody, Entry, LONGEST};
use crate::retry::{RetryPolicy, Retrying};

impl Operation {
    /// Starts a call. Nothing is sent.
    #[doc(hidden)]
    pub fn call<'s, DB, S>(&'static self, source: S) -> Call<'s, DB>
    where
        DB: Backend,
        S: SessionSource<DB> + 's,
    {
        let call = Call::new(self, source.into_origin(), self.session_options());
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
pub(super) struct State {
    pub(super) entry: Arc<Entry>,
    pub(super) span: Span,
    pub(super) begin: Begin,
    pub(super) nested: Nested,
    /// The commit of a session of its own is noted in the ledger.
    verifies: bool,
    pub(super) deadline: Option<Instant>,
    /// Only the outermost call can start over, and only one with a policy keeps account of it.
    pub(super) retrying: Option<Box<Retrying>>,
    /// What the session of the latest attempt ended in.
    pub(super) outcome: Option<Outcome>,
    /// Whether the error of the latest attempt is of our own making. Of one that the body returns only what it bears is
    /// known: a connection may have been lost elsewhere.
    pub(super) is_own: bool,
    pub(super) refused: Option<Error>,
}

impl<'s, DB: Backend> Call<'s, DB> {
    pub(super) fn new(
        operation: &'static Operation,
        origin: Origin<'s, DB>,
        options: &Options,
    ) -> Self {
        let nested = matches!(origin, Origin::Session(_));
        let entry = Entry::new(operation, nested);
        let span = tracing::info_span!(
            "steadfast.call",
            operation = operation.name(),
            id = entry.id,
            db.system.name = DB::SYSTEM,
        );
        let deadline = options
            .time_limit()
            .map(|limit| Instant::now() + limit.min(LONGEST));
        let state = State {
            entry,
            span,
            begin: options.begin(),
            nested: options.nesting(),
            verifies: false,
            deadline,
            retrying: None,
            outcome: None,
            is_own: false,
            refused: None,
        };
        Self { origin, state }
    }

    /// The call is to answer with this error; its body does not run.
    pub(super) fn refuse(&mut self, error: Error) {
        self.state.refused = Some(error);
    }

    /// Retries under a policy made at run time.
    #[must_use]
    pub fn retrying(mut self, policy: RetryPolicy) -> Self {
        self.state.retrying = match &self.origin {
            Origin::Pool(pool) if policy.max_attempts() > 1 => {
                let retrying = Retrying::new(policy).paid_from(pool.retry_budget());
                Some(Box::new(retrying))
            }
            Origin::Pool(_) | Origin::Session(_) => None,
        };
        self.state.verifies = policy.unknown().verify;
        self
    }

    /// Starts an attempt. Nothing is sent before its first statement.
    pub fn begin(&mut self) -> Attempt<'_, DB> {
        let state = &mut self.state;
        state.entry.next_attempt();
        let place = match &mut self.origin {
            Origin::Pool(pool) => {
                let mut custody = Custody::new(
                    pool.clone(),
                    Arc::clone(&state.entry),
                    state.begin,
                    state.deadline,
                );
                if state.verifies && state.begin.access == Access::Write {
                    custody.note_commit();
                }
                Place::Own(Box::new(Session::new(custody)))
            }
            Origin::Session(session) => {
                let outer = session.custody().begin();
                if state.refused.is_none() {
                    state.refused = mismatch::<DB>(state.nested, state.begin, outer).err();
                }
                // In a session without a transaction there is no level to be had.
                let joins = state.nested == Nested::Join || outer.access == Access::Autocommit;
                if joins && state.refused.is_none() {
                    Place::joined(session, state.deadline)
                } else {
                    Place::nested(session, state.deadline)
                }
            }
        };
        Attempt::new(place, state)
    }
}

impl State {
    /// Adds what the body could not know to the error that it returned. The operation that failed first stays
    /// named, and what is in doubt for either of them stays so. The outcome is this call's, unless another session has
    /// committed what this one did not: then nobody may repeat the whole as if nothing of it were there.
    pub(super) fn tell<E: ManagedError>(&self, mut error: E) -> E {
        let borne = error.borne();
        let outcome = match (self.outcome, borne) {
            (_, Some(Outcome::Unknown)) => Some(Outcome::Unknown),
            (Some(Outcome::NotSent | Outcome::RolledBack), Some(Outcome::Committed)) => {
                Some(Outcome::Unknown)
            }
            (own, borne) => own.or(borne),
        };
        let add = |inner: &mut Error| self.add_to(inner, outcome);
        let asks_for_another =
            || !self.is_own && error.fault().is_some_and(|fault| fault.has_token());
        let must = is_there(outcome) && (borne != outcome || asks_for_another());
        // Where this call's own work is undone, what bears another's doubt already may stay the driver's.
        if must || is_there(self.outcome) {
            error.tell(must, add);
        } else {
            error.session_error_mut().map(add);
        }
        error
    }

    fn add_to(&self, error: &mut Error, outcome: Option<Outcome>) {
        if error.operation().is_none() {
            error.set_operation(self.entry.operation.name());
        }
        if let Some(outcome) = outcome {
            error.set_outcome(outcome);
        }
        if !self.is_own {
            error.forget_tokens();
        }
        // 1792 is MySQL's word for it, in a transaction that only reads.
        let is_refused = error.category() == Category::ReadOnly || error.code() == Some("1792");
        if self.begin.access == Access::Read && is_refused {
            error.set_category(Category::Programming);
            error.set_help("the session is `read_only`: write in another, or take that word away");
        }
    }

    /// How long to wait before another attempt; where there is none the error gets those of all attempts.
    pub(super) fn pause_after<E: ManagedError>(&mut self, error: &mut E) -> Option<Duration> {
        let mut retrying = self.retrying.take()?;
        let failure = retrying.note_in_session(error, self.is_own, self.outcome);
        let pause = retrying.pause_after(&failure, self.deadline);
        if pause.is_some() {
            self.entry.operation.record_retried(failure.category());
        } else {
            retrying.give_up_managed(error, |own| self.add_to(own, None));
        }
        self.retrying = Some(retrying);
        pause
    }

    pub(super) fn answered<T, E: Classify>(&self, result: Result<T, E>) -> Result<T, E> {
        if let (Ok(_), Some(retrying)) = (&result, &self.retrying) {
            retrying.succeeded();
        }
        self.entry
            .answered(result.as_ref().err().and_then(Classify::category));
        result
    }
}

fn is_there(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Committed | Outcome::Unknown))
}
