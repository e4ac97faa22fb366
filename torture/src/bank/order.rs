//! What a customer asks for, and what he is told.

use std::str::FromStr;

use fastrand::Rng;

use crate::course::Course;
use crate::door::Door;

/// Accounts that all orders draw on: so few that they meet.
pub(super) const ACCOUNTS: i64 = 20;

/// What each of them has in the beginning. Nobody can spend so much: no order is refused for want of money.
pub(super) const BALANCE: i64 = 1_000_000_000;

/// Money from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Nobody else's.
    pub(super) id: i64,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) cents: i64,
    /// Through that of the pool, the journal's row goes alone.
    pub(super) door: Door,
    pub(super) course: Course,
    /// For what happens after so many polls, or the square of it in milliseconds.
    pub(super) after: usize,
}

const DOORS: [Door; 5] = [
    Door::Once,
    Door::Retried,
    Door::Verified,
    Door::ByHand,
    Door::Pool,
];

const COURSES: [Course; 10] = [
    Course::Straight,
    Course::Nested,
    Course::Undone,
    Course::Swallows,
    Course::Joined,
    Course::Hasty,
    Course::Fails,
    Course::Panics,
    Course::Dropped,
    Course::Late,
];

impl Order {
    pub(super) fn draw(id: i64, chance: &mut Rng) -> Self {
        let from = chance.i64(0..ACCOUNTS);
        let door = DOORS[chance.usize(..DOORS.len())];
        let course = COURSES[chance.usize(..COURSES.len())];
        let order = Self {
            id,
            from,
            to: (from + chance.i64(1..ACCOUNTS)) % ACCOUNTS,
            cents: chance.i64(1..1_000),
            door,
            course,
            after: chance.usize(1..20),
        };
        if door == Door::Pool {
            // It moves nothing.
            return Self {
                to: from,
                cents: 0,
                course: if course == Course::Dropped {
                    course
                } else {
                    Course::Straight
                },
                ..order
            };
        }
        order
    }

    /// Account and change, in the order in which they are made: one order for most, so that they wait for each other
    /// but rarely in a circle.
    pub(super) fn changes(&self) -> [(i64, i64); 2] {
        let mut changes = [(self.from, -self.cents), (self.to, self.cents)];
        if !matches!(self.course, Course::Swallows | Course::Nested) {
            changes.sort_unstable();
        }
        changes
    }

    /// Whether somebody may have to be in doubt about it: it comes to a COMMIT; or the error of one of its statements,
    /// whose connection was lost, was read by hand while the session was open.
    pub(super) fn may_leave_doubt(&self) -> bool {
        let commits = !matches!(self.course, Course::Joined | Course::Fails | Course::Panics);
        commits || self.door == Door::ByHand
    }

    /// What the journal says of it.
    pub(super) fn row(&self) -> Row {
        (self.id, self.from, self.to, self.cents)
    }
}

/// Id, from, to, cents.
pub(super) type Row = (i64, i64, i64, i64);

/// What whoever gave an order knows of its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// He was gone before.
    #[default]
    Nothing,
    Acknowledged,
    Refused,
    /// His clerk fell over it.
    Panicked,
    Unknown,
    /// It was unknown, and the ledger has told: whether it is there.
    Resolved(bool),
    /// It was unknown, and the ledger that was to tell did not.
    Unresolved,
    /// It was unknown, although it comes to no COMMIT.
    Groundless,
}

impl Told {
    const WORDS: [(Self, &'static str); 9] = [
        (Self::Nothing, "nothing"),
        (Self::Acknowledged, "acknowledged"),
        (Self::Refused, "refused"),
        (Self::Panicked, "panicked"),
        (Self::Unknown, "unknown"),
        (Self::Resolved(true), "there"),
        (Self::Resolved(false), "undone"),
        (Self::Unresolved, "unresolved"),
        (Self::Groundless, "groundless"),
    ];

    pub(super) fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(told, _)| *told == self);
        found.map_or("", |(_, word)| word)
    }
}

impl FromStr for Told {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(told, _)| *told).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_was_meant() {
        for (told, word) in Told::WORDS {
            assert_eq!((word.parse(), told.word()), (Ok(told), word));
        }
        assert_eq!("acknow".parse::<Told>(), Err(()));
    }

    #[test]
    fn changes_cancel_each_other() {
        let mut chance = Rng::with_seed(1);
        for id in 0..1_000 {
            let order = Order::draw(id, &mut chance);
            let [(one, less), (other, more)] = order.changes();
            assert_eq!(less + more, 0);
            assert_eq!(one == other, order.door == Door::Pool, "{order:?}");
        }
    }
}
