//! A future that yields: how one statement's session is read as a stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::backend::{Backend, BoxFuture, Step};

/// Hands one step at a time from the future that runs a statement to the stream that it is read as.
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives a step and waits until it has been taken. No wake is needed: the reader has the step, and polls
    /// again when it wants another.
    pub(crate) async fn give(&self, step: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        std::future::poll_fn(|_| {
            let taken = self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none();
            if taken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// A future that owns its session, read as a stream: a stream that borrows from what it owns cannot be
/// written without `unsafe`.
pub(crate) struct Steps<'e, DB: Backend> {
    run: Option<BoxFuture<'e, Result<(), sqlx::Error>>>,
    slot: Slot<Step<DB>>,
}

impl<'e, DB: Backend> Steps<'e, DB> {
    pub(crate) fn new(run: BoxFuture<'e, Result<(), sqlx::Error>>, slot: Slot<Step<DB>>) -> Self {
        Self {
            run: Some(run),
            slot,
        }
    }
}

impl<DB: Backend> Stream for Steps<'_, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(run) = &mut this.run else {
            return Poll::Ready(None);
        };
        let ended = run.as_mut().poll(context);
        if let Some(step) = this.slot.take() {
            return Poll::Ready(Some(Ok(step)));
        }
        match ended {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                this.run = None;
                Poll::Ready(result.err().map(Err))
            }
        }
    }
}
