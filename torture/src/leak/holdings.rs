//! What is held, of everything that a call may forget to give back.

use std::fmt;

/// Figures of one moment, in which nobody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holdings {
    /// On the server; on SQLite those that this process has open on the file.
    pub(super) connections: usize,
    /// On the server.
    pub(super) transactions: usize,
    /// Connections in use, sessions that wait, that are ended or are listed.
    pub(super) slots: usize,
    /// Hooks that have not been dropped.
    pub(super) hooks: usize,
    /// Tasks of the runtime.
    pub(super) tasks: usize,
    /// File handles of the process.
    pub(super) handles: usize,
    /// Prepared statements, on the connection that has the most.
    pub(super) prepared: usize,
    /// The same on all connections of the server, where it tells.
    pub(super) prepared_by_all: usize,
    /// Memory of the process, in bytes.
    pub(super) resident: usize,
}

impl Holdings {
    /// What is more than it was `before`, by more than there is `room` for.
    pub(super) fn beyond(&self, before: &Self, room: &Self) -> Option<String> {
        let grown: Vec<String> = (self.named().into_iter())
            .zip(before.named())
            .zip(room.named())
            .filter(|(((_, now), (_, before)), (_, room))| *now > before + room)
            .map(|(((name, now), (_, before)), _)| format!("{now} {name}, and {before} before"))
            .collect();
        (!grown.is_empty()).then(|| grown.join("; "))
    }

    /// No more of anything.
    pub(super) fn none() -> Self {
        Self {
            connections: 0,
            transactions: 0,
            slots: 0,
            hooks: 0,
            tasks: 0,
            handles: 0,
            prepared: 0,
            prepared_by_all: 0,
            resident: 0,
        }
    }

    fn named(&self) -> [(&'static str, usize); 9] {
        [
            ("connections", self.connections),
            ("open transactions", self.transactions),
            ("slots taken", self.slots),
            ("hooks", self.hooks),
            ("tasks", self.tasks),
            ("file handles", self.handles),
            ("prepared statements", self.prepared),
            ("prepared statements on the server", self.prepared_by_all),
            ("bytes of memory", self.resident),
        ]
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named();
        let parts: Vec<String> = named.map(|(name, value)| format!("{value} {name}")).into();
        formatter.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_that_grows_beyond_its_room_is_told() {
        let before = Holdings {
            connections: 8,
            tasks: 30,
            ..Holdings::none()
        };
        let room = Holdings {
            tasks: 1,
            ..Holdings::none()
        };
        assert_eq!(before.beyond(&before, &room), None);
        let fewer = Holdings {
            connections: 0,
            tasks: 31,
            ..before
        };
        assert_eq!(fewer.beyond(&before, &room), None);
        let more = Holdings {
            connections: 9,
            tasks: 32,
            hooks: 1,
            ..before
        };
        let told = "9 connections, and 8 before; 1 hooks, and 0 before; 32 tasks, and 30 before";
        assert_eq!(more.beyond(&before, &room).as_deref(), Some(told));
    }
}
