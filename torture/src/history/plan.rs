//! What a call is to do.

use fastrand::Rng;

use super::transaction::{Key, Value};

/// Lists that are in use at a time: so few that transactions meet.
const LISTS: usize = 6;

/// A list that has grown to about so many elements is left alone.
const LONGEST: usize = 40;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) door: Door,
    pub(super) course: Course,
    pub(super) touches: Vec<Touch>,
    /// For a call that is dropped: after so many polls.
    pub(super) after: usize,
}

/// One of the lists that are in use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Touch {
    Append(usize),
    Read(usize),
}

/// The way into the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Once,
    Retried,
    /// Retried, and a lost answer to COMMIT is looked up.
    Verified,
    ReadOnly,
    ByHand,
    /// One statement, in autocommit.
    Pool,
}

/// What becomes of it on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Straight,
    /// The last steps in a nested call.
    Nested,
    /// Appends in a nested call that fails, and is forgiven.
    Undone,
    /// A statement fails, and nobody minds.
    Swallows,
    /// A call that joins the session fails ahead of its append, and nobody minds.
    Joined,
    Fails,
    Dropped,
}

impl Door {
    const ALL: [Self; 8] = [
        Self::Once,
        Self::Retried,
        Self::Retried,
        Self::Retried,
        Self::Verified,
        Self::ReadOnly,
        Self::ByHand,
        Self::Pool,
    ];
}

impl Course {
    const ALL: [Self; 10] = [
        Self::Straight,
        Self::Straight,
        Self::Straight,
        Self::Dropped,
        Self::Nested,
        Self::Undone,
        Self::Swallows,
        Self::Joined,
        Self::Fails,
        Self::Dropped,
    ];
}

impl Plan {
    pub(super) fn draw(chance: &mut Rng) -> Self {
        let door = Door::ALL[chance.usize(..Door::ALL.len())];
        let course = match (door, Course::ALL[chance.usize(..Course::ALL.len())]) {
            (Door::Pool | Door::ReadOnly, course) if course != Course::Dropped => Course::Straight,
            (_, course) => course,
        };
        let amount = if door == Door::Pool {
            1
        } else {
            chance.usize(1..=4)
        };
        let touches = (0..amount).map(|_| {
            let list = chance.usize(..LISTS);
            if door != Door::ReadOnly && chance.bool() {
                Touch::Append(list)
            } else {
                Touch::Read(list)
            }
        });
        Self {
            door,
            course,
            touches: touches.collect(),
            after: chance.usize(1..12),
        }
    }
}

/// Which list is in use as this one when so many values have been appended.
pub(super) fn key(list: usize, values: Value) -> Key {
    let round = usize::try_from(values).unwrap_or_default() / (LISTS * LONGEST);
    Key::try_from(round * LISTS + list).unwrap_or(Key::MAX)
}
