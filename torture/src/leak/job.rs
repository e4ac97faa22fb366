//! What is called, and what befalls it.

use std::time::Duration;

use fastrand::Rng;

/// What comes too late comes this late: a call has opened its session by then, most often.
pub(super) const LATE: Duration = Duration::from_millis(10);

/// A way to do work on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Retry,
    Nested,
    Session,
    Savepoint,
    Begin,
    Stream,
    Hooks,
    Autocommit,
    Verified,
    Pool,
    Lease,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Plain,
        Self::Retry,
        Self::Nested,
        Self::Session,
        Self::Savepoint,
        Self::Begin,
        Self::Stream,
        Self::Hooks,
        Self::Autocommit,
        Self::Verified,
        Self::Pool,
        Self::Lease,
    ];

    /// Whether it may be called inside another session, whose deadline is its own then.
    pub(super) fn takes_a_session(self) -> bool {
        matches!(
            self,
            Self::Plain | Self::Retry | Self::Nested | Self::Stream | Self::Hooks
        )
    }
}

/// How a call fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// The database refuses a statement.
    Refused,
    /// Right behind so many polls.
    Dropped(usize),
    Panics,
    /// A statement outlasts the deadline.
    Late,
    /// The server ends the connection.
    Killed,
    /// The wire is cut.
    Cut,
    /// The wire is cut as soon as the server has answered the next COMMIT on any connection.
    Unanswered,
}

impl Fate {
    /// What it is counted as.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Well => "ended well",
            Self::Refused => "refused",
            Self::Dropped(_) => "dropped",
            Self::Panics => "panicked",
            Self::Late => "late",
            Self::Killed => "killed",
            Self::Cut => "cut",
            Self::Unanswered => "unanswered",
        }
    }

    /// One that spares the connection, most often.
    fn mild(chance: &mut Rng) -> Self {
        match chance.u8(..16) {
            0..7 => Self::Well,
            7..9 => Self::Refused,
            9..13 => Self::Dropped(chance.usize(1..12)),
            13..15 => Self::Panics,
            _ => Self::Late,
        }
    }

    /// One that only a server can deal out, and that costs a connection.
    fn harsh(chance: &mut Rng) -> Self {
        match chance.u8(..8) {
            0..4 => Self::Killed,
            4..7 => Self::Cut,
            _ => Self::Unanswered,
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) fate: Fate,
    /// Of its rows, this and the next.
    pub(super) id: i64,
    /// Whether its pool is the one whose connections do not live long.
    pub(super) is_rough: bool,
}

impl Job {
    /// The kinds take turns; the rest is left to chance. What ends a connection, or makes it anew, is done on a pool of
    /// its own: what adds up on a connection shows only on one that lives long.
    pub(super) fn draw(number: usize, id: i64, has_server: bool, chance: &mut Rng) -> Self {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let is_rough = kind == Kind::Lease || chance.u8(..4) == 0;
        let fate = if is_rough && has_server && chance.u8(..4) == 0 {
            Fate::harsh(chance)
        } else {
            Fate::mild(chance)
        };
        Self {
            kind,
            fate,
            id,
            is_rough,
        }
    }
}
