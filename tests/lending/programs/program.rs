//! A program: a tree of bodies, made at random from a seed.

use crate::lending::helpers::{ENDINGS, Ending};

#[derive(Clone, Debug)]
pub struct Body {
    /// An annotated function; otherwise `begin` outermost and `savepoint` inside.
    pub is_annotated: bool,
    pub acts: Vec<Act>,
    pub end: End,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// By the session itself.
    Insert(i64),
    Lend(Loan),
    Nested(Body),
}

/// What is done with the connection while it is lent.
#[derive(Clone, Debug)]
pub struct Loan {
    pub style: Style,
    /// Inserted without a transaction of its own.
    pub rows: Vec<i64>,
    pub work: Vec<Inner>,
}

#[derive(Clone, Copy, Debug)]
pub enum Style {
    Raw,
    Acquired,
    /// By `Acquire::begin` on the session.
    Begun,
}

/// A transaction that somebody begins on the lent connection.
#[derive(Clone, Debug)]
pub struct Inner {
    pub rows: Vec<i64>,
    pub deeper: Option<Box<Inner>>,
    /// Its last statement fails, and nobody hears of it.
    pub fails: bool,
    pub ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Ok,
    Err,
    Dropped,
}

impl End {
    pub fn answer(self) -> Option<bool> {
        match self {
            Self::Ok => Some(true),
            Self::Err => Some(false),
            Self::Dropped => None,
        }
    }
}

/// Bodies inside each other.
pub const DEEPEST: usize = 3;

pub struct Maker {
    pub random: fastrand::Rng,
    /// The last row that was used.
    pub row: i64,
}

impl Maker {
    pub fn body(&mut self, depth: usize) -> Body {
        let end = match self.random.u32(0..10) {
            ..=5 => End::Ok,
            6..=7 => End::Err,
            _ => End::Dropped,
        };
        let length = self.random.usize(0..6);
        Body {
            is_annotated: self.random.bool(),
            acts: (0..length).map(|_| self.act(depth)).collect(),
            end,
        }
    }

    fn act(&mut self, depth: usize) -> Act {
        match self.random.u32(0..10) {
            ..=2 if depth < DEEPEST => Act::Nested(self.body(depth + 1)),
            3..=6 => Act::Lend(self.loan()),
            _ => Act::Insert(self.next()),
        }
    }

    fn loan(&mut self) -> Loan {
        let styles = [Style::Raw, Style::Acquired, Style::Begun];
        Loan {
            style: styles[self.random.usize(0..styles.len())],
            rows: self.rows(0),
            work: (0..self.random.usize(0..3))
                .map(|_| self.inner(0))
                .collect(),
        }
    }

    fn inner(&mut self, depth: usize) -> Inner {
        let goes_deeper = depth < 2 && self.random.u32(0..3) == 0;
        Inner {
            rows: self.rows(1),
            deeper: goes_deeper.then(|| Box::new(self.inner(depth + 1))),
            fails: self.random.u32(0..6) == 0,
            ending: ENDINGS[self.random.usize(0..ENDINGS.len())],
        }
    }

    fn rows(&mut self, least: usize) -> Vec<i64> {
        (0..self.random.usize(least..3))
            .map(|_| self.next())
            .collect()
    }

    fn next(&mut self) -> i64 {
        self.row += 1;
        self.row
    }
}
