//! What a call is to do.

use fastrand::Rng;

use super::transaction::{Key, Value};
use crate::course::Course;
use crate::door::Door;

/// Lists that are in use at a time: so few that transactions meet.
pub(super) const LISTS: usize = 6;

/// A list that has grown to about so many elements is left alone.
const LONGEST: usize = 40;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) door: Door,
    pub(super) is_read_only: bool,
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

/// `None` for a session that only reads.
const DOORS: [Option<Door>; 8] = [
    Some(Door::Once),
    Some(Door::Retried),
    Some(Door::Retried),
    Some(Door::Retried),
    Some(Door::Verified),
    None,
    Some(Door::ByHand),
    Some(Door::Pool),
];

const COURSES: [Course; 10] = [
    Course::Straight,
    Course::Straight,
    Course::Straight,
    Course::Dropped,
    Course::Nested,
    Course::Undone,
    Course::Swallows,
    Course::Joined,
    Course::Fails,
    Course::Dropped,
];

impl Plan {
    pub(super) fn draw(chance: &mut Rng) -> Self {
        let drawn = DOORS[chance.usize(..DOORS.len())];
        let (door, is_read_only) = (drawn.unwrap_or(Door::Once), drawn.is_none());
        let mut course = COURSES[chance.usize(..COURSES.len())];
        if (door == Door::Pool || is_read_only) && course != Course::Dropped {
            course = Course::Straight;
        }
        let amount = if door == Door::Pool {
            1
        } else {
            chance.usize(1..=4)
        };
        let touches = (0..amount).map(|_| {
            let list = chance.usize(..LISTS);
            if !is_read_only && chance.bool() {
                Touch::Append(list)
            } else {
                Touch::Read(list)
            }
        });
        Self {
            door,
            is_read_only,
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
