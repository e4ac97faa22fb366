//! What one call has tried, and whether it tries again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Reconnect;
use super::budget::Budget;
use super::policy::RetryPolicy;
use crate::error::{
    AttemptError, Category, Classify, Error, Fault, ManagedError, Outcome, Phase, Retry,
};
use crate::plant::{Plant, planted};

/// The attempts of one call. The loop with a session and the one without share it.
#[derive(Debug)]
pub(crate) struct Retrying {
    policy: RetryPolicy,
    began: Instant,
    failed: u32,
    /// Whether an error that is worth one more attempt has had it.
    once_used: bool,
    reconnect: Reconnect,
    errors: Vec<AttemptError>,
    /// The pool's, for a call that has one.
    budget: Option<Arc<Budget>>,
    /// Whether the latest retry was paid for.
    paid: bool,
}

/// How an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Of an error that is none of a database's nothing is known, and it is never retried.
    known: Option<(Category, Retry)>,
    outcome: Outcome,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Another attempt, after this wait.
    Again(Duration),
    GiveUp(Reason),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The error would come again, or the policy is not meant for it.
    NotRetryable,
    /// The work may have been applied.
    Applied,
    /// The error was worth one more attempt, and that one failed in the same way.
    OnceUsed,
    /// `max` attempts were made.
    Exhausted,
    /// The calls of the pool have retried too much of late, with too little success.
    OverBudget,
    /// The next attempt would start after `within`, or after the deadline.
    OutOfTime,
}

impl Failure {
    /// What the session itself saw outweighs what an error tells of it: work that may have been applied is not
    /// repeated.
    pub(crate) fn in_session(mut self, outcome: Option<Outcome>) -> Self {
        if let Some(outcome @ (Outcome::Unknown | Outcome::Committed)) = outcome {
            self.outcome = outcome;
        }
        self
    }

    /// The category; `Internal` for an error that is none of a database's.
    pub(crate) fn category(&self) -> Category {
        self.known
            .map_or(Category::Internal, |(category, _)| category)
    }
}

impl Retrying {
    /// The call begins now.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            began: Instant::now(),
            failed: 0,
            once_used: false,
            reconnect: Reconnect::new(),
            errors: Vec::new(),
            budget: None,
            paid: false,
        }
    }

    /// Retries are paid from this budget.
    pub(crate) fn paid_from(mut self, budget: Arc<Budget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The call has succeeded.
    pub(crate) fn succeeded(&self) {
        if let Some(budget) = &self.budget {
            budget.refill(self.paid);
        }
    }

    /// Pays for a retry after a failure of this category; `false` where the budget does not allow it.
    fn pay(&mut self, category: Category) -> bool {
        let Some(budget) = self.budget.as_ref().filter(|_| Budget::charges(category)) else {
            self.paid = false;
            return true;
        };
        self.paid = budget.pay();
        self.paid
    }

    /// The attempt ended in this error. `vouched`: a session has made it itself, and has undone what it did not commit.
    /// Of a lost connection in an error that does not tell whose it was, nobody knows what was applied.
    pub(crate) fn note(&mut self, error: &mut impl Classify, vouched: bool) -> Failure {
        self.note_in_session(error, vouched, None)
    }

    /// The same where a session knows what became of the attempt's work: that outweighs what an error tells of it.
    pub(crate) fn note_in_session(
        &mut self,
        error: &mut impl Classify,
        vouched: bool,
        outcome: Option<Outcome>,
    ) -> Failure {
        let own = error.session_error_mut();
        let (phase, tokens) = own.map_or((Phase::Body, Vec::new()), |own| {
            (own.phase(), own.tokens().to_vec())
        });
        let borne = error.borne().filter(|_| !vouched);
        let known = [outcome, borne].into_iter().flatten();
        let failure = self
            .note_fault(error.fault().as_ref(), phase, vouched)
            .in_session(known.reduce(Outcome::beside));
        if failure.known.is_some()
            && let Some(mut noted) = self.errors.pop()
        {
            noted.set_outcome(failure.outcome);
            self.errors.push(noted.with_tokens(tokens));
        }
        failure
    }

    fn note_fault(&mut self, fault: Option<&Fault<'_>>, phase: Phase, vouched: bool) -> Failure {
        self.failed += 1;
        let Some(fault) = fault else {
            return Failure {
                known: None,
                outcome: Outcome::NotSent,
            };
        };
        let retry = if vouched {
            fault.retry()
        } else {
            fault.retry_alone()
        };
        let is_commit = fault.category() == Category::CommitUnknown;
        let outcome = match fault.outcome() {
            _ if fault.is_in_doubt() && vouched && !is_commit => Outcome::NotSent,
            Some(outcome) => outcome,
            None if fault.is_in_doubt() => Outcome::Unknown,
            None if is_commit => Outcome::Unknown,
            None => Outcome::NotSent,
        };
        self.errors
            .push(AttemptError::of_fault(self.failed, fault, phase, outcome));
        Failure {
            known: Some((fault.category(), retry)),
            outcome,
        }
    }

    /// How long to wait for another attempt; `None` when there is none.
    pub(crate) fn pause_after(
        &mut self,
        failure: &Failure,
        deadline: Option<Instant>,
    ) -> Option<Duration> {
        let now = Instant::now();
        let left = deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(now)
        });
        let (failed, category) = (self.failed, failure.category().as_str());
        match self.decide(failure, now - self.began, left) {
            Decision::Again(wait) => {
                tracing::debug!(target: "steadfast::retry", failed, category, ?wait, "an attempt failed; another follows");
                Some(wait)
            }
            Decision::GiveUp(reason) => {
                tracing::debug!(target: "steadfast::retry", failed, category, ?reason, "an attempt failed; it was the last");
                None
            }
        }
    }

    fn decide(&mut self, failure: &Failure, elapsed: Duration, left: Duration) -> Decision {
        let Some((category, retry)) = failure.known else {
            return Decision::GiveUp(Reason::NotRetryable);
        };
        let is_undone = matches!(failure.outcome, Outcome::NotSent | Outcome::RolledBack);
        let is_repeated = self.policy.unknown().repeat
            || (planted(Plant::UnknownRetried) && failure.outcome == Outcome::Unknown);
        if !is_undone && !is_repeated {
            return Decision::GiveUp(Reason::Applied);
        }
        // An error that leaves doubt is never retryable by itself: it was declared that the work may be repeated.
        let may_pass = category.is_transient() || category == Category::CommitUnknown;
        match if is_undone || !may_pass {
            retry
        } else {
            Retry::Yes
        } {
            Retry::Yes => {}
            Retry::Once if !self.once_used => self.once_used = true,
            Retry::Once => return Decision::GiveUp(Reason::OnceUsed),
            Retry::Never if self.policy.is_widened_to(category) => {}
            Retry::Never => return Decision::GiveUp(Reason::NotRetryable),
        }
        if self.failed >= self.policy.max_attempts() {
            return Decision::GiveUp(Reason::Exhausted);
        }
        let wait = match category {
            Category::Connection => self.reconnect.pause(),
            _ => self.policy.wait_after(self.failed),
        };
        let within = self.policy.time_limit().unwrap_or(Duration::MAX);
        if elapsed.saturating_add(wait) > within || wait >= left {
            return Decision::GiveUp(Reason::OutOfTime);
        }
        if !self.pay(category) {
            return Decision::GiveUp(Reason::OverBudget);
        }
        Decision::Again(wait)
    }

    /// Puts the errors of all attempts into the one that the caller gets, if there was more than one and it can hold
    /// them.
    pub(crate) fn give_up(&mut self, error: &mut impl Classify) {
        if self.errors.len() > 1
            && let Some(own) = error.session_error_mut()
        {
            own.set_attempts(std::mem::take(&mut self.errors));
        }
    }

    /// The same for an error that a session answers for: what an attempt has left, or may have, is told in any case.
    pub(crate) fn give_up_managed(
        &mut self,
        error: &mut impl ManagedError,
        add: impl FnOnce(&mut Error),
    ) {
        let outcomes = self.errors.iter().map(AttemptError::outcome);
        match outcomes.reduce(Outcome::beside) {
            Some(Outcome::Committed | Outcome::Unknown) if self.errors.len() > 1 => {
                let attempts = std::mem::take(&mut self.errors);
                error.tell(true, |own| {
                    add(own);
                    own.set_attempts(attempts);
                });
            }
            _ => self.give_up(error),
        }
    }
}

#[cfg(test)]
mod tests;
