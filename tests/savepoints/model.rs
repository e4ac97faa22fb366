//! What a program must come to: a stack of sets of rows.

use std::collections::BTreeSet;

use super::program::{Act, Body, End, Slow, Step};

/// What a database does to a level.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub an_error_dooms_the_level: bool,
    pub a_drop_dooms_the_session: bool,
    pub a_stopped_write_dooms_the_session: bool,
    /// No database does this: the bug that is planted to see whether the comparison would find one.
    pub keeps_what_failed: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// What each statement and each call answered, in order.
    pub answers: Vec<String>,
    /// The rows that are there at the end.
    pub rows: BTreeSet<i64>,
}

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub calls: usize,
    pub deepest: usize,
    pub dropped: usize,
    pub dropped_in_statement: usize,
    pub dropped_at_once: usize,
    pub swallowed: usize,
    pub doomed: usize,
    pub committed: usize,
}

#[derive(Default)]
struct Level {
    rows: BTreeSet<i64>,
    doomed: bool,
}

pub struct Model<'t> {
    rules: Rules,
    levels: Vec<Level>,
    observed: Observed,
    /// Which of the bodies that are dropped at once, a bit each, had come as far as their statement: on a busy
    /// machine the answer to what goes ahead of it may be there within the first poll.
    late: u32,
    tally: &'t mut Tally,
}

/// How a step or a body came out; `None` for a body that was dropped.
type Answer = Option<bool>;

impl Model<'_> {
    /// Whether the program may have come to this.
    pub fn allows(rules: Rules, program: &Body, observed: &Observed) -> bool {
        let mut tally = Tally::default();
        let expected = Self::run(rules, program, 0, &mut tally);
        let several = if rules.a_drop_dooms_the_session {
            1 << tally.dropped_at_once
        } else {
            1
        };
        expected == *observed
            || (1..several)
                .any(|late| Self::run(rules, program, late, &mut Tally::default()) == *observed)
    }

    pub fn run(rules: Rules, program: &Body, late: u32, tally: &mut Tally) -> Observed {
        let observed = Observed::default();
        let mut model = Model {
            rules,
            levels: Vec::new(),
            observed,
            late,
            tally,
        };
        let answer = model.level(program);
        model
            .observed
            .answers
            .push(super::answer("session", answer));
        model.observed
    }

    fn is_doomed(&self) -> bool {
        self.levels.iter().any(|level| level.doomed)
    }

    fn level(&mut self, body: &Body) -> Answer {
        self.tally.calls += 1;
        self.tally.deepest = self.tally.deepest.max(self.levels.len());
        self.levels.push(Level::default());
        let answer = self.body(body);
        let is_doomed = self.is_doomed();
        let Some(level) = self.levels.pop() else {
            unreachable!()
        };
        let answer = answer.map(|ok| ok && !is_doomed);
        self.tally.doomed += usize::from(is_doomed);
        if answer == Some(true) || self.rules.keeps_what_failed {
            match self.levels.last_mut() {
                Some(outer) => outer.rows.extend(level.rows),
                None => {
                    self.tally.committed += 1;
                    self.observed.rows = level.rows;
                }
            }
        }
        answer
    }

    fn body(&mut self, body: &Body) -> Answer {
        for Step { act, swallows } in &body.steps {
            let answer = self.act(act);
            self.observed
                .answers
                .push(super::answer(&super::name(act), answer));
            if answer == Some(false) {
                if !swallows {
                    return Some(false);
                }
                self.tally.swallowed += 1;
            }
        }
        match body.end {
            End::Ok => Some(true),
            End::Err => Some(false),
            End::Dropped => {
                self.tally.dropped += 1;
                None
            }
            End::DroppedIn(slow) => {
                self.slow(slow);
                self.tally.dropped_in_statement += 1;
                None
            }
            End::DroppedAtOnce => {
                self.tally.dropped_at_once += 1;
                self.levels[0].doomed |= self.late & 1 == 1;
                self.late >>= 1;
                None
            }
        }
    }

    fn act(&mut self, act: &Act) -> Answer {
        match act {
            Act::Nested(inner) => self.level(inner),
            _ if self.is_doomed() => Some(false),
            Act::Peek => Some(true),
            Act::Insert(row) => {
                self.innermost().rows.insert(*row);
                Some(true)
            }
            Act::Duplicate => {
                self.innermost().doomed |= self.rules.an_error_dooms_the_level;
                Some(false)
            }
            Act::Slow(slow) => {
                self.slow(*slow);
                None
            }
        }
    }

    fn slow(&mut self, slow: Slow) {
        if self.is_doomed() {
            return;
        }
        let dooms_session = self.rules.a_drop_dooms_the_session
            || slow.writes && self.rules.a_stopped_write_dooms_the_session;
        let level = if dooms_session {
            0
        } else {
            self.levels.len() - 1
        };
        self.levels[level].doomed = true;
    }

    fn innermost(&mut self) -> &mut Level {
        let Some(level) = self.levels.last_mut() else {
            unreachable!("a body is in a level")
        };
        level
    }
}
