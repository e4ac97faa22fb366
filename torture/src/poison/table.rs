//! What a row of the table says.

use std::fmt;

use xtask::database::Database;

/// What a body may do to its connection, on each database.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) on: fn(Database) -> On,
}

pub(super) enum On {
    Has(Poison),
    /// Why there is no such thing there.
    Cannot(&'static str),
}

/// Statements, and what becomes of them on the way through each door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poison {
    /// Sent one after the other; whoever sends them swallows their errors. `<here>` is the place's own name.
    pub(super) says: &'static [&'static str],
    /// In a session: an annotated function's, a closure's, one by hand.
    session: Expected,
    /// On a connection that a session has lent.
    lent: Expected,
    lease: Expected,
    pool: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) told: Told,
    pub(super) after: After,
}

/// What the sender is told at last where he means to keep his work. Whoever gives it up hears the same of doubt, and
/// nothing of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Kept,
    /// The same, and that no statement of the poison was sent.
    Refused,
    RolledBack,
    Unknown,
}

/// What the next user of the connection finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The same connection, as it was.
    Same,
    /// Another connection.
    Closed,
    /// The same connection, but for this: a known limit, or a promise that is not given.
    Left(&'static [&'static str]),
    /// The same, where the work is kept; otherwise it is undone with that.
    LeftIfKept(&'static [&'static str]),
    /// Another connection, but this is left on the server.
    LeftBeside(&'static [&'static str]),
}

impl After {
    /// Whether it is another connection, and what is left, where the sender ends so.
    pub(super) fn of(self, end: End) -> (bool, &'static [&'static str]) {
        match self {
            Self::Same => (false, &[]),
            Self::Closed => (true, &[]),
            Self::LeftIfKept(_) if end != End::Keep => (false, &[]),
            Self::Left(names) | Self::LeftIfKept(names) => (false, names),
            Self::LeftBeside(names) => (true, names),
        }
    }
}

pub(super) use After::{Closed, Left, LeftBeside, LeftIfKept, Same};
pub(super) use Told::{Kept, Refused, RolledBack, Unknown};

const HARMLESS: Expected = Expected {
    told: Kept,
    after: Same,
};

impl Poison {
    /// Statements that end or begin something, as one would have them refused.
    pub(super) fn commands(&self) -> usize {
        let is_command = |text: &&&str| !text.starts_with("INSERT");
        self.says.iter().filter(is_command).count()
    }

    /// Harmless, unless something else is said.
    pub(super) const fn of(says: &'static [&'static str]) -> Self {
        Self {
            says,
            session: HARMLESS,
            lent: HARMLESS,
            lease: HARMLESS,
            pool: HARMLESS,
        }
    }

    pub(super) const fn session(self, told: Told, after: After) -> Self {
        let session = Expected { told, after };
        Self { session, ..self }
    }

    pub(super) const fn lent(self, told: Told, after: After) -> Self {
        let lent = Expected { told, after };
        Self { lent, ..self }
    }

    pub(super) const fn lease(self, told: Told, after: After) -> Self {
        let lease = Expected { told, after };
        Self { lease, ..self }
    }

    pub(super) const fn pool(self, told: Told, after: After) -> Self {
        let pool = Expected { told, after };
        Self { pool, ..self }
    }

    pub(super) const fn expected(&self, door: Door) -> Expected {
        match door {
            Door::Function | Door::Closure | Door::ByHand => self.session,
            Door::Raw => self.lent,
            Door::Lease => self.lease,
            Door::Pool => self.pool,
        }
    }
}

/// The way to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Function,
    Closure,
    ByHand,
    Raw,
    Lease,
    Pool,
}

impl Door {
    pub(super) const ALL: [Self; 6] = [
        Self::Function,
        Self::Closure,
        Self::ByHand,
        Self::Raw,
        Self::Lease,
        Self::Pool,
    ];

    pub(super) fn ends(self) -> &'static [End] {
        match self {
            Self::Function | Self::Closure | Self::ByHand | Self::Raw => {
                &[End::Keep, End::GiveUp, End::Drop]
            }
            Self::Lease => &[End::Keep, End::Drop],
            Self::Pool => &[End::Keep],
        }
    }
}

/// How the sender ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Keep,
    GiveUp,
    Drop,
}

/// One row through one door to one end.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) poison: Poison,
    pub(super) door: Door,
    pub(super) end: End,
    /// The next user works, and only then is looked at what is left; otherwise that is looked at first.
    pub(super) works_first: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, door, end, ..
        } = self;
        write!(formatter, "{name}, {door:?}, {end:?}")?;
        if self.works_first {
            formatter.write_str(", seen behind the next user's work")?;
        }
        Ok(())
    }
}
