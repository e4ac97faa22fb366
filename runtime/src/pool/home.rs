//! The runtime that a connection belongs to.

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::plant::{Plant, planted};

/// The runtime on which a connection's socket was opened, and on which its reaper runs.
pub(super) struct Home {
    runtime: Handle,
    /// A task that waits for nothing: it is over once its runtime has shut down, and nothing else tells that.
    resident: AbortHandle,
}

impl Home {
    pub(super) fn here() -> Self {
        let runtime = Handle::current();
        let resident = runtime.spawn(std::future::pending::<()>()).abort_handle();
        Self { runtime, resident }
    }

    pub(super) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    pub(super) fn has_shut_down(&self) -> bool {
        self.resident.is_finished()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !planted(Plant::TaskForgotten) {
            self.resident.abort();
        }
    }
}
