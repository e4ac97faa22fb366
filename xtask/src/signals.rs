//! The signals that ask this process to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Once these are listened to, none of them ends the process by itself.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// One that came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked(SignalKind);

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        Asked(kind)
    }
}

impl Asked {
    /// Whether a terminal sent it, and so to the command as well.
    pub(crate) fn is_from_terminal(self) -> bool {
        self.0 == SignalKind::interrupt()
    }

    /// The exit code of a process that such a signal ended, as shells count.
    pub(crate) fn code(self) -> u8 {
        code(self.0.as_raw_value())
    }
}

/// The exit code that stands for the end by `signal`.
pub(crate) fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
