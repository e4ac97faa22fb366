//! The future that runs a user's body: panics and the deadline stop here.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

/// What bounds one attempt's body.
#[derive(Debug)]
pub struct Limits {
    pub(crate) deadline: Option<Instant>,
    pub(crate) span: Span,
    /// The body must not run at all: the attempt already holds the error.
    pub(crate) refused: bool,
}

/// How a body ended.
pub enum Ended<R> {
    /// It returned.
    Returned(R),
    /// It panicked; the payload is resumed once the session has been rolled back.
    Panicked(Box<dyn Any + Send>),
    /// The deadline passed and it was dropped where it stood.
    TimedOut,
    /// It was never polled.
    Refused,
}

pin_project! {
    /// Runs a body within its limits. A struct and not an `async fn`: that would hold the body twice, and
    /// the futures of nested calls would double with each level.
    pub struct Shielded<F> {
        #[pin]
        body: Option<F>,
        sleep: Option<Pin<Box<Sleep>>>,
        limits: Limits,
    }
}

/// Puts a body under its limits.
pub fn shielded<F: Future>(limits: Limits, body: F) -> Shielded<F> {
    Shielded {
        body: Some(body),
        sleep: None,
        limits,
    }
}

impl<F: Future> Future for Shielded<F> {
    type Output = Ended<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.limits.refused {
            return Poll::Ready(Ended::Refused);
        }
        let _entered = this.limits.span.enter();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            panic!("a session's body was polled after it had ended")
        };
        let ended = match catch_unwind(AssertUnwindSafe(|| body.poll(context))) {
            Ok(Poll::Ready(value)) => Ended::Returned(value),
            Err(payload) => Ended::Panicked(payload),
            Ok(Poll::Pending) if passed(this.limits.deadline, this.sleep, context) => {
                Ended::TimedOut
            }
            Ok(Poll::Pending) => return Poll::Pending,
        };
        // The body's borrow of the session ends with it; a destructor of its locals may panic as well.
        match catch_unwind(AssertUnwindSafe(|| this.body.set(None))) {
            Ok(()) => Poll::Ready(ended),
            Err(payload) => Poll::Ready(Ended::Panicked(payload)),
        }
    }
}

fn passed(
    deadline: Option<Instant>,
    sleep: &mut Option<Pin<Box<Sleep>>>,
    context: &mut Context<'_>,
) -> bool {
    let Some(deadline) = deadline else {
        return false;
    };
    // Without a runtime there is no timer; the first statement answers with an error that says so.
    if sleep.is_none() && Handle::try_current().is_err() {
        return false;
    }
    let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
    sleep.as_mut().poll(context).is_ready()
}
