//! The protocols whose messages the proxy can read.

use super::mysql::MySqlReader;
use super::postgres::PostgresReader;
use super::sent::Sent;

/// What goes through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Anything: bytes are passed on, none is read.
    Plain,
    /// `PostgreSQL`'s, version 3.
    Postgres,
    /// `MySQL`'s and `MariaDB`'s.
    MySql,
}

/// A message, and where in the client's stream it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) sent: Sent,
}

/// Follows one connection.
#[derive(Debug)]
pub(super) enum Reader {
    Plain,
    Postgres(PostgresReader),
    MySql(MySqlReader),
}

impl Protocol {
    pub(super) fn reader(self) -> Reader {
        match self {
            Self::Plain => Reader::Plain,
            Self::Postgres => Reader::Postgres(PostgresReader::default()),
            Self::MySql => Reader::MySql(MySqlReader::default()),
        }
    }
}

impl Reader {
    pub(super) fn client(&mut self, piece: &[u8]) -> Vec<Seen> {
        match self {
            Self::Plain => Vec::new(),
            Self::Postgres(reader) => reader.client(piece),
            Self::MySql(reader) => reader.client(piece),
        }
    }

    /// Where the last complete message of the client ends; `None` where none can be read.
    pub(super) fn complete(&self) -> Option<u64> {
        match self {
            Self::Plain => None,
            Self::Postgres(reader) => reader.complete(),
            Self::MySql(reader) => reader.complete(),
        }
    }

    /// Whether the server is through with an answer. `PostgreSQL` sends one when it is.
    pub(super) fn server(&mut self, piece: &[u8]) -> bool {
        match self {
            Self::Plain | Self::Postgres(_) => true,
            Self::MySql(reader) => reader.server(piece),
        }
    }
}
