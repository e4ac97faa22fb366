//! What makes a server fall silent.

use std::fmt;

/// What befalls a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// SIGSTOP of the backends that serve the calls. MariaDB has threads instead.
    StopBackends,
    /// `kill -9` of these, whereupon the server throws out all others too.
    KillBackends,
    StopServer,
    KillServer,
    /// A proxy that accepts and never answers.
    BlackHole,
}

impl Fault {
    /// Whether it says nothing to those who are connected.
    pub(super) fn is_silent(self) -> bool {
        matches!(
            self,
            Self::StopBackends | Self::StopServer | Self::BlackHole
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::StopBackends => "backend stopped",
            Self::KillBackends => "backend killed",
            Self::StopServer => "server stopped",
            Self::KillServer => "server killed",
            Self::BlackHole => "black hole",
        })
    }
}
