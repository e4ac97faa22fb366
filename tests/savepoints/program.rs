//! A program: a tree of bodies, made at random from a seed, and made smaller when it has found something.

use std::fmt;

/// How a body is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Door {
    /// As an annotated function.
    Annotated,
    /// By hand: `begin` outermost, `savepoint` inside.
    ByHand,
}

#[derive(Clone, Debug)]
pub struct Body {
    pub door: Door,
    pub steps: Vec<Step>,
    pub end: End,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub act: Act,
    /// Whether the body goes on when this has failed.
    pub swallows: bool,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// Inserts a row of its own.
    Insert(i64),
    /// Inserts a row that is there already.
    Duplicate,
    /// Reads the first of several rows and drops the stream.
    Peek,
    /// Runs a statement of 30 seconds, which is dropped while it runs.
    Slow(Slow),
    Nested(Body),
}

#[derive(Clone, Copy, Debug)]
pub struct Slow {
    pub writes: bool,
    /// After how many polls it is dropped.
    pub polls: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    Ok,
    Err,
    /// Dropped between two statements.
    Dropped,
    /// Dropped while this statement runs.
    DroppedIn(Slow),
    /// Dropped after the first poll of its first statement: the savepoint is on its way.
    DroppedAtOnce,
}

/// Savepoints inside each other.
pub const DEEPEST: usize = 4;

pub struct Maker {
    pub random: fastrand::Rng,
    /// The last row that was used.
    pub row: i64,
}

impl Maker {
    pub fn body(&mut self, depth: usize) -> Body {
        let door = if self.random.bool() {
            Door::Annotated
        } else {
            Door::ByHand
        };
        let end = match self.random.u32(0..100) {
            ..=57 => End::Ok,
            58..=71 => End::Err,
            72..=80 => End::Dropped,
            81..=89 => End::DroppedIn(self.slow()),
            _ => End::DroppedAtOnce,
        };
        let length = if matches!(end, End::DroppedAtOnce) {
            0
        } else {
            self.random.usize(0..5)
        };
        let steps = (0..length).map(|_| self.step(depth)).collect();
        Body { door, steps, end }
    }

    fn step(&mut self, depth: usize) -> Step {
        let act = match self.random.u32(0..100) {
            ..=39 if depth < DEEPEST => Act::Nested(self.body(depth + 1)),
            40..=47 => Act::Duplicate,
            48..=54 => Act::Peek,
            55..=58 => Act::Slow(self.slow()),
            _ => {
                self.row += 1;
                Act::Insert(self.row)
            }
        };
        Step {
            act,
            swallows: self.random.u32(0..4) > 0,
        }
    }

    fn slow(&mut self) -> Slow {
        let polls = [1, 2, 5, 40];
        Slow {
            writes: self.random.bool(),
            polls: polls[self.random.usize(0..polls.len())],
        }
    }
}

impl Body {
    /// Every program that is one change smaller.
    pub fn smaller(&self) -> Vec<Body> {
        let mut smaller = Vec::new();
        for index in 0..self.steps.len() {
            let mut without = self.clone();
            without.steps.remove(index);
            smaller.push(without);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let Act::Nested(inner) = &step.act else {
                continue;
            };
            for inner in inner.smaller() {
                let mut with = self.clone();
                with.steps[index].act = Act::Nested(inner);
                smaller.push(with);
            }
        }
        if !matches!(self.end, End::Ok) {
            smaller.push(Body {
                end: End::Ok,
                ..self.clone()
            });
        }
        smaller
    }

    fn write(&self, out: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        for step in &self.steps {
            let swallows = if step.swallows { "" } else { "?" };
            write!(out, "{:indent$}", "")?;
            match &step.act {
                Act::Nested(inner) => {
                    writeln!(out, "{:?}{swallows} {{", inner.door)?;
                    inner.write(out, indent + 2)?;
                    writeln!(out, "{:indent$}}}", "")?;
                }
                act => writeln!(out, "{act:?}{swallows}")?,
            }
        }
        writeln!(out, "{:indent$}=> {:?}", "", self.end)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:?} {{", self.door)?;
        self.write(out, 2)?;
        writeln!(out, "}}")
    }
}
