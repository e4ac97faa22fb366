//! What the proxy does with what goes through it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sent::Sent;

/// What happens at a chosen message of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut; the server never sees the message.
    CutBefore,
    /// The message and all after it stay in the proxy until [`Proxy::resume`](super::Proxy::resume).
    HoldBefore,
    /// The server answers; instead of the answer the client sees the connection cut.
    CutAnswer,
    /// The server answers; the answer and all after it stay in the proxy until [`Proxy::resume`](super::Proxy::resume).
    HoldAnswer,
}

impl Fault {
    /// Whether the server gets the message.
    pub(super) fn spares_the_message(self) -> bool {
        matches!(self, Self::CutAnswer | Self::HoldAnswer)
    }
}

/// The orders that hold now.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Orders>);

#[derive(Debug, Default)]
pub(super) struct Orders {
    /// At most so many bytes at a time, with a pause between.
    pub(super) trickle: Option<(usize, Duration)>,
    pub(super) delay: Duration,
    /// Nothing is passed on.
    pub(super) held: bool,
    /// Nothing of what servers send.
    pub(super) answers_held: bool,
    /// New connections are cut at once.
    pub(super) refuse: bool,
    pub(super) armed: Vec<Armed>,
    pub(super) fired: u64,
}

pub(super) struct Armed {
    pub(super) at: Box<dyn Fn(&Sent) -> bool + Send>,
    pub(super) fault: Fault,
    pub(super) once: bool,
}

impl std::fmt::Debug for Armed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Armed")
            .field("fault", &self.fault)
            .field("once", &self.once)
            .finish_non_exhaustive()
    }
}

impl Rules {
    pub(super) fn lock(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    /// The fault for this message, if any; the first armed wins, and one that is for once is used up.
    pub(super) fn fault(&mut self, sent: &Sent) -> Option<Fault> {
        let found = self.armed.iter().position(|armed| (armed.at)(sent))?;
        let fault = self.armed[found].fault;
        if self.armed[found].once {
            self.armed.remove(found);
        }
        Some(fault)
    }
}
