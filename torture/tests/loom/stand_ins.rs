//! What tokio offers, as its documentation has it, on locks that loom watches.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::{Mutex, MutexGuard};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics")
}

/// Fair: a permit that is given back goes to whoever has waited longest.
pub struct Semaphore(Mutex<Permits>);

struct Permits {
    free: usize,
    closed: bool,
    next: u64,
    waiting: VecDeque<(u64, Waker)>,
    /// Given to these, who do not know it yet.
    given: Vec<u64>,
}

pub struct OwnedSemaphorePermit(Option<Arc<Semaphore>>);

/// It is closed, or nothing is free.
#[derive(Debug)]
pub struct Refused;

impl Semaphore {
    pub fn new(free: usize) -> Self {
        Self(Mutex::new(Permits {
            free,
            closed: false,
            next: 0,
            waiting: VecDeque::new(),
            given: Vec::new(),
        }))
    }

    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, Refused> {
        let mut place = Place {
            semaphore: &self,
            number: None,
        };
        let acquired = poll_fn(|context| place.poll(context)).await;
        drop(place);
        acquired.map(|()| OwnedSemaphorePermit(Some(self)))
    }

    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, Refused> {
        let mut permits = locked(&self.0);
        if permits.free == 0 || permits.closed {
            return Err(Refused);
        }
        permits.free -= 1;
        drop(permits);
        Ok(OwnedSemaphorePermit(Some(self)))
    }

    pub fn add_permits(&self, more: usize) {
        let mut permits = locked(&self.0);
        let mut woken = Vec::new();
        for _ in 0..more {
            match permits.waiting.pop_front() {
                Some((number, waker)) => {
                    permits.given.push(number);
                    woken.push(waker);
                }
                None => permits.free += 1,
            }
        }
        drop(permits);
        woken.into_iter().for_each(Waker::wake);
    }

    pub fn forget_permits(&self, fewer: usize) -> usize {
        let mut permits = locked(&self.0);
        let forgotten = fewer.min(permits.free);
        permits.free -= forgotten;
        forgotten
    }

    pub fn close(&self) {
        let mut permits = locked(&self.0);
        permits.closed = true;
        let waiting = std::mem::take(&mut permits.waiting);
        drop(permits);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl OwnedSemaphorePermit {
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        if let Some(semaphore) = self.0.take() {
            semaphore.add_permits(1);
        }
    }
}

/// Somebody's place in the queue.
struct Place<'s> {
    semaphore: &'s Semaphore,
    number: Option<u64>,
}

impl Place<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let mut permits = locked(&self.semaphore.0);
        if permits.closed {
            return Poll::Ready(Err(Refused));
        }
        let Some(number) = self.number else {
            if permits.free > 0 {
                permits.free -= 1;
                return Poll::Ready(Ok(()));
            }
            let number = permits.next;
            permits.next += 1;
            permits.waiting.push_back((number, context.waker().clone()));
            self.number = Some(number);
            return Poll::Pending;
        };
        if let Some(at) = permits.given.iter().position(|given| *given == number) {
            permits.given.remove(at);
            self.number = None;
            return Poll::Ready(Ok(()));
        }
        for (_, waker) in permits
            .waiting
            .iter_mut()
            .filter(|(waiting, _)| *waiting == number)
        {
            waker.clone_from(context.waker());
        }
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut permits = locked(&self.semaphore.0);
        permits.waiting.retain(|(waiting, _)| *waiting != number);
        let before = permits.given.len();
        permits.given.retain(|given| *given != number);
        let was_given = permits.given.len() < before;
        drop(permits);
        if was_given {
            self.semaphore.add_permits(1);
        }
    }
}

/// Wakes those who wait, and nobody who comes later.
pub struct Notify(Mutex<Calls>);

struct Calls {
    made: u64,
    waiting: Vec<Waker>,
}

pub struct Notified<'n> {
    notify: &'n Notify,
    /// How many had been made when this was made: as tokio has it, those that follow are not missed.
    since: u64,
}

impl Default for Notify {
    fn default() -> Self {
        Self(Mutex::new(Calls {
            made: 0,
            waiting: Vec::new(),
        }))
    }
}

impl Notify {
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            since: locked(&self.0).made,
        }
    }

    pub fn notify_waiters(&self) {
        let mut calls = locked(&self.0);
        calls.made += 1;
        let waiting = std::mem::take(&mut calls.waiting);
        drop(calls);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Notified<'_> {
    pub fn enable(self: Pin<&mut Self>) -> bool {
        locked(&self.notify.0).made > self.since
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut calls = locked(&self.notify.0);
        if calls.made > self.since {
            return Poll::Ready(());
        }
        calls.waiting.push(context.waker().clone());
        Poll::Pending
    }
}
