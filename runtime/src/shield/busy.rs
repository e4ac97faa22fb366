//! Waiting for a lock that another process holds, on the async side: SQLite's own wait blocks a thread and cannot
//! be ended.

use std::time::Duration;

use tokio::time::Instant;

use super::alarm::wait_until;

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);

/// The pauses between the tries of one statement.
pub(crate) struct Busy {
    until: Instant,
    pause: Duration,
}

impl Busy {
    pub(crate) fn until(until: Instant) -> Self {
        Self {
            until,
            pause: FIRST,
        }
    }

    /// Waits before another try; `false` when the time for it is over.
    pub(crate) async fn wait(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        wait_until((now + self.pause).min(self.until)).await;
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }
}
