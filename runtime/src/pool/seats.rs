//! How many connections may be out at once, a number that may change while they are.
//!
//! deadpool's own `resize` takes back as many permits as it has connections to close: a pool that is not full keeps its
//! old limit, and one that grows again gets more than it had. So its limit only ever grows, and this one holds.

use std::sync::{Arc, PoisonError};

use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, OwnedSemaphorePermit, Semaphore};

/// The seats of a pool, given out in the order in which they are asked for.
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Taken ahead of deadpool's lock, held for a few instructions.
    plan: Mutex<Plan>,
}

#[derive(Clone, Copy)]
struct Plan {
    max: usize,
    /// The most there have ever been.
    room: usize,
    /// Seats that are taken and shall be no more once they are left.
    surplus: usize,
}

impl Seats {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(max)),
            waiting: AtomicUsize::new(0),
            plan: Mutex::new(Plan {
                max,
                room: max,
                surplus: 0,
            }),
        })
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn max(&self) -> usize {
        self.plan().max
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a seat; `None` once they are closed.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Seat> {
        let _waiting = Waiting::begin(&self.waiting);
        loop {
            let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
            if let Some(seat) = self.seat(permit) {
                return Some(seat);
            }
        }
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Seat> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.seat(permit)
    }

    /// `None` where the pool has become smaller while this one was on its way to somebody who waited.
    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Option<Seat> {
        let mut plan = self.plan();
        if plan.surplus > 0 {
            plan.surplus -= 1;
            permit.forget();
            return None;
        }
        Some(Seat {
            permit: Some(permit),
            seats: Arc::clone(self),
        })
    }

    pub(super) fn close(&self) {
        self.free.close();
    }

    /// Changes their number. Those that are taken stay taken. `make_room` is called where there have never been as
    /// many.
    pub(super) fn resize(&self, max: usize, make_room: impl FnOnce(usize)) {
        let mut plan = self.plan();
        if max > plan.room {
            plan.room = max;
            make_room(max);
        }
        if max > plan.max {
            let more = max - plan.max;
            let kept = more.min(plan.surplus);
            plan.surplus -= kept;
            self.free.add_permits(more - kept);
        } else {
            let fewer = plan.max - max;
            plan.surplus += fewer - self.free.forget_permits(fewer);
        }
        plan.max = max;
    }
}

/// The right to one connection.
pub(crate) struct Seat {
    permit: Option<OwnedSemaphorePermit>,
    seats: Arc<Seats>,
}

impl Seat {
    /// Whether the pool has become too small for this seat, so that the connection in it is to be closed.
    pub(super) fn is_surplus(&mut self) -> bool {
        let mut plan = self.seats.plan();
        if plan.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            plan.surplus -= 1;
            permit.forget();
        }
        self.permit.is_none()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut plan = self.seats.plan();
        let Some(permit) = self.permit.take() else {
            return;
        };
        if plan.surplus > 0 {
            plan.surplus -= 1;
            permit.forget();
        } else {
            // Under the lock still: a pool that becomes smaller finds this seat either taken or free.
            drop(permit);
        }
    }
}

struct Waiting<'s>(&'s AtomicUsize);

impl<'s> Waiting<'s> {
    fn begin(count: &'s AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
