//! What a program must come to.

use std::collections::BTreeSet;

use super::program::{Act, Body, End, Inner};
use crate::lending::helpers::Ending;

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub bodies: usize,
    pub deepest: usize,
    pub loans: usize,
    /// Transactions of helpers.
    pub inner: usize,
    pub undone: usize,
    pub failed: usize,
    pub dropped: usize,
    pub committed: usize,
}

pub struct Model<'t> {
    an_error_dooms: bool,
    /// No database does this: the bug that is planted to see whether the comparison would find one.
    keeps_what_a_helper_undid: bool,
    depth: usize,
    tally: &'t mut Tally,
}

impl Model<'_> {
    /// The session's answer, and the rows that are there at the end.
    pub fn run(
        body: &Body,
        an_error_dooms: bool,
        keeps_what_a_helper_undid: bool,
        tally: &mut Tally,
    ) -> (Option<bool>, BTreeSet<i64>) {
        let mut model = Model {
            an_error_dooms,
            keeps_what_a_helper_undid,
            depth: 0,
            tally,
        };
        let rows = model.body(body);
        model.tally.committed += usize::from(body.end == End::Ok);
        (body.end.answer(), rows)
    }

    fn body(&mut self, body: &Body) -> BTreeSet<i64> {
        self.tally.bodies += 1;
        self.tally.deepest = self.tally.deepest.max(self.depth);
        let mut rows = BTreeSet::new();
        for act in &body.acts {
            match act {
                Act::Insert(row) => {
                    rows.insert(*row);
                }
                Act::Lend(loan) => {
                    self.tally.loans += 1;
                    rows.extend(&loan.rows);
                    for work in &loan.work {
                        rows.extend(self.inner(work));
                    }
                }
                Act::Nested(inner) => {
                    self.depth += 1;
                    rows.extend(self.body(inner));
                    self.depth -= 1;
                }
            }
        }
        self.tally.dropped += usize::from(body.end == End::Dropped);
        if body.end == End::Ok {
            rows
        } else {
            BTreeSet::new()
        }
    }

    fn inner(&mut self, work: &Inner) -> BTreeSet<i64> {
        self.tally.inner += 1;
        let mut rows: BTreeSet<i64> = work.rows.iter().copied().collect();
        if let Some(deeper) = &work.deeper {
            rows.extend(self.inner(deeper));
        }
        self.tally.failed += usize::from(work.fails);
        let is_kept = work.ending == Ending::Commit && !(work.fails && self.an_error_dooms);
        if is_kept || self.keeps_what_a_helper_undid {
            rows
        } else {
            self.tally.undone += 1;
            BTreeSet::new()
        }
    }
}
