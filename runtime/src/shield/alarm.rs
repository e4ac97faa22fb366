//! Limits of what may move from one runtime to another.
//!
//! A control statement that its owner leaves goes on with the reaper, on the runtime of the connection, and the owner's
//! may shut down meanwhile. tokio's timers belong to the runtime that they were first polled on and panic once that has
//! shut down; these move along.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep_until};

/// The time was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elapsed;

struct Alarm {
    at: Instant,
    set: Option<(Id, Pin<Box<Sleep>>)>,
}

impl Alarm {
    fn at(at: Instant) -> Self {
        Self { at, set: None }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let here = Handle::current().id();
        if self
            .set
            .as_ref()
            .is_none_or(|(runtime, _)| *runtime != here)
        {
            self.set = Some((here, Box::pin(sleep_until(self.at))));
        }
        match &mut self.set {
            Some((_, sleep)) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

/// As tokio's.
pub(super) async fn timeout_at<F: Future>(at: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut alarm = Alarm::at(at);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => alarm.poll(context).map(|()| Err(Elapsed)),
    })
    .await
}

/// As tokio's.
pub(super) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    timeout_at(Instant::now() + limit, future).await
}

/// Waits until then.
pub(super) async fn wait_until(at: Instant) {
    let mut alarm = Alarm::at(at);
    poll_fn(|context| alarm.poll(context)).await;
}
