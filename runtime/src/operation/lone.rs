//! The loop of `#[retry]` on a function without a session.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use super::Operation;
use crate::error::{Classify, Outcome};
use crate::retry::{RetryPolicy, Retrying};

/// One call of a retried function without a session, from its first attempt to its answer.
#[doc(hidden)]
#[derive(Debug)]
pub struct LoneCall {
    operation: &'static Operation,
    retrying: Retrying,
    began: Instant,
    answered: bool,
}

impl LoneCall {
    pub(super) fn new(operation: &'static Operation, policy: RetryPolicy) -> Self {
        operation.record_started();
        Self {
            operation,
            retrying: Retrying::new(policy),
            began: Instant::now(),
            answered: false,
        }
    }

    /// Ends an attempt: `Break` with the call's answer, or `Continue` once the wait before the next attempt is over.
    pub async fn finish<T, E: Classify>(
        &mut self,
        result: Result<T, E>,
    ) -> ControlFlow<Result<T, E>> {
        let pause = match self.judge(result) {
            ControlFlow::Break(result) => return ControlFlow::Break(result),
            ControlFlow::Continue(pause) => pause,
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        ControlFlow::Continue(())
    }

    /// Takes the failed attempt's error with it, so that it is gone before the wait.
    fn judge<T, E: Classify>(
        &mut self,
        result: Result<T, E>,
    ) -> ControlFlow<Result<T, E>, Duration> {
        let mut result = result;
        if let Err(error) = &mut result {
            let failure = self.retrying.note(error, false);
            if let Some(pause) = self.retrying.pause_after(&failure, None) {
                self.operation.record_retried(failure.category());
                return ControlFlow::Continue(pause);
            }
            self.retrying.give_up(error);
        }
        self.answered = true;
        let error = result.as_ref().err();
        let outcome = error
            .and_then(Classify::outcome)
            .unwrap_or(Outcome::NotSent);
        let category = error.and_then(Classify::category);
        self.operation
            .record_ended(outcome, false, category, false, false, self.began.elapsed());
        ControlFlow::Break(result)
    }
}

impl Drop for LoneCall {
    fn drop(&mut self) {
        if !self.answered {
            let panicked = std::thread::panicking();
            let duration = self.began.elapsed();
            self.operation.record_ended(
                Outcome::NotSent,
                false,
                None,
                !panicked,
                panicked,
                duration,
            );
        }
    }
}
