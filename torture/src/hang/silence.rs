//! The moment at which a server falls silent, and who has come how far by then.

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::run::{DEADLINE, Run};

#[derive(Debug)]
pub(super) struct Silence {
    arrived: Semaphore,
    fallen: watch::Sender<Option<Instant>>,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            arrived: Semaphore::new(0),
            fallen: watch::Sender::new(None),
        }
    }

    /// A call has come to its phase.
    pub(super) fn arrive(&self, run: &Run) {
        if self.fallen.borrow().is_none() {
            run.seen.arrives();
        }
        self.arrived.add_permits(1);
    }

    /// Waits until so many have; not for those that this machine has kept from it.
    pub(super) async fn all_arrived(&self, calls: usize) {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let _ = timeout(DEADLINE / 2, self.arrived.acquire_many(calls)).await;
    }

    pub(super) fn falls(&self) {
        self.fallen.send_replace(Some(Instant::now()));
    }

    /// When it fell, once it has.
    pub(super) async fn fallen(&self) -> Instant {
        let mut fallen = self.fallen.subscribe();
        let fallen = fallen.wait_for(Option::is_some).await;
        fallen
            .ok()
            .and_then(|since| *since)
            .expect("it falls while somebody waits")
    }
}
