//! The end of a pool.

use sqlx::Connection as _;
use tokio::time::{Instant, timeout_at};

use super::registry::SessionInfo;
use super::settings::{CLOSE_TIMEOUT, PING_TIMEOUT};
use super::{SessionPool, Shared};
use crate::backend::Backend;

/// What `SessionPool::close` left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Sessions, and leases by hand, that had not ended within the deadline. Their connections close as soon as they
    /// do.
    pub left: Vec<SessionInfo>,
}

impl CloseReport {
    /// Whether every session had ended.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left.is_empty()
    }
}

impl<DB: Backend> Shared<DB> {
    /// Whoever waits for a connection, or will, is told that the pool is closed.
    pub(super) fn refuse_work(&self) {
        self.links.close();
        self.seats.close();
        self.closing.notify_waiters();
    }
}

impl<DB: Backend> SessionPool<DB> {
    /// Closes the pool: no new work is taken, sessions that wait for a connection fail as `Closed`, those
    /// that hold one and those that the reaper is ending are waited for, 30 s at most. Then the connections
    /// are closed. It does not fail: what had not ended by then is in the report. Hooks of those sessions run, and one that
    /// wants a connection of this pool is told that it is closed.
    ///
    /// # Cancellation
    /// Dropped half-way, the pool stays closed to new work and sessions still end by themselves.
    pub async fn close(&self) -> CloseReport {
        let until = Instant::now() + CLOSE_TIMEOUT;
        let links = &self.shared.links;
        let idle = links.retain(|_, _| false).removed;
        self.shared.refuse_work();
        self.shared.end_maintenance();
        for link in idle {
            link.close().await;
        }
        let emptied = timeout_at(until, self.shared.registry.empty())
            .await
            .is_ok();
        links.manager().line.close(PING_TIMEOUT).await;
        if let Some(anchor) = links.manager().anchor.lock().await.take() {
            let _ = timeout_at(Instant::now() + PING_TIMEOUT, anchor.close()).await;
        }
        CloseReport {
            left: if emptied { Vec::new() } else { self.sessions() },
        }
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.links.is_closed()
    }
}
