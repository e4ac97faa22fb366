//! The ways in which a future comes to be dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use steadfast_tests::support::drop_at_poll;
use tokio::sync::oneshot;

use super::form::Cut;

impl Cut {
    /// Drops a call after so many polls, or milliseconds. `Some` if it ended before.
    pub(super) async fn apply<F>(self, call: F, after: usize) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (tells, told) = oneshot::channel();
        match self {
            Self::Drop => drop_at_poll(call, after).await,
            Self::Timeout => {
                let limit = Duration::from_millis(u64::try_from(after).unwrap_or(u64::MAX));
                tokio::time::timeout(limit, call).await.ok()
            }
            Self::Select => tokio::select! {
                biased;
                output = counted(call, after, tells) => Some(output),
                _ = told => None,
            },
            Self::Abort => {
                let task = tokio::spawn(counted(call, after, tells));
                // An error says that it ended before.
                let _ = told.await;
                task.abort();
                match task.await {
                    Ok(output) => Some(output),
                    Err(error) if error.is_cancelled() => None,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }
        }
    }
}

/// Tells when a call was polled so often.
async fn counted<F: Future>(call: F, polls: usize, tells: oneshot::Sender<()>) -> F::Output {
    let mut call = pin!(call);
    let mut left = polls;
    let mut tells = Some(tells);
    poll_fn(move |context| {
        let polled = call.as_mut().poll(context);
        left = left.saturating_sub(1);
        if left == 0
            && polled.is_pending()
            && let Some(tells) = tells.take()
        {
            // Nobody listens any more where the call is being dropped.
            let _ = tells.send(());
        }
        polled
    })
    .await
}
