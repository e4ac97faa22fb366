//! What went through a proxy.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sent::Sent;

// A proxy that nobody resets must not grow for ever: the oldest goes first.
const MESSAGES: usize = 100_000;
const CONNECTIONS: usize = 10_000;

/// One connection.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its number, from 1 on, in the order in which connections came.
    pub id: u64,
    /// The client's end.
    pub client: SocketAddr,
    /// Whether it is still there.
    pub open: bool,
    /// How often the client waited for the server since the last reset.
    pub round_trips: u64,
    /// What the client sent since the last reset.
    pub sent: Vec<Sent>,
}

#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<Book>);

#[derive(Debug, Default)]
pub(super) struct Book {
    connections: BTreeMap<u64, Entry>,
    messages: VecDeque<(u64, Sent)>,
}

#[derive(Debug)]
struct Entry {
    client: SocketAddr,
    open: bool,
    /// The client has said something that is not answered yet.
    asked: bool,
    round_trips: u64,
}

impl Traffic {
    pub(super) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    pub(super) fn opened(&mut self, id: u64, client: SocketAddr) {
        self.connections.insert(
            id,
            Entry {
                client,
                open: true,
                asked: false,
                round_trips: 0,
            },
        );
        if self.connections.len() > CONNECTIONS {
            self.connections.pop_first();
        }
    }

    pub(super) fn closed(&mut self, id: u64) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.open = false;
        }
    }

    pub(super) fn asked(&mut self, id: u64) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.asked = true;
        }
    }

    pub(super) fn answered(&mut self, id: u64) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.round_trips += u64::from(std::mem::take(&mut entry.asked));
        }
    }

    pub(super) fn sent(&mut self, id: u64, sent: Sent) {
        if self.messages.len() >= MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back((id, sent));
    }

    pub(super) fn reset(&mut self) {
        self.messages.clear();
        self.connections.retain(|_, entry| entry.open);
        for entry in self.connections.values_mut() {
            entry.round_trips = 0;
        }
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.connections
            .values()
            .map(|entry| entry.round_trips)
            .sum()
    }

    pub(super) fn messages(&self) -> Vec<Sent> {
        self.messages.iter().map(|(_, sent)| sent.clone()).collect()
    }

    pub(super) fn reports(&self) -> Vec<Report> {
        let of = |id: u64| {
            self.messages
                .iter()
                .filter(move |(of, _)| *of == id)
                .map(|(_, sent)| sent.clone())
        };
        let report = |(&id, entry): (&u64, &Entry)| Report {
            id,
            client: entry.client,
            open: entry.open,
            round_trips: entry.round_trips,
            sent: of(id).collect(),
        };
        self.connections.iter().map(report).collect()
    }
}
