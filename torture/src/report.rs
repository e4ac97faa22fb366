//! What a campaign has done and found.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xtask::database::Database;

use crate::figures::Figures;

/// So many violations are printed; all are counted.
const PRINTED: usize = 20;

/// What came of a campaign, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Holds,
    Violated,
    /// There was no server to attack.
    NotRun,
}

/// Shared by everything that a campaign does side by side.
#[derive(Debug)]
pub(crate) struct Report {
    campaign: &'static str,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    figures: Figures,
    plain: Figures,
    violations: usize,
    /// Those of the databases before.
    settled: usize,
    lacks_server: bool,
}

impl Found {
    /// Whether more violations would say nothing more. A short form is about whether there are any.
    fn is_enough(&self, short: bool) -> bool {
        self.lacks_server || self.violations >= if short { 1 } else { PRINTED }
    }
}

impl Report {
    pub(crate) fn new(campaign: &'static str) -> Self {
        Self {
            campaign,
            found: Mutex::default(),
        }
    }

    /// So many more of what `figure` counts.
    pub(crate) fn count(&self, figure: &'static str, more: u64) {
        self.found().figures.count(figure, more);
    }

    /// The greatest that `figure` was.
    pub(crate) fn greatest(&self, figure: &'static str, value: u64) {
        self.found().figures.greatest(figure, value);
    }

    /// A campaign that does less than this of what `figure` counts, on the database that it attacks now, has shown
    /// nothing, and fails.
    pub(crate) fn expect(&self, figure: &'static str, at_least: u64) {
        self.found().figures.expect(figure, at_least);
    }

    /// The same for what plain sqlx does: where it does not, the campaign could not have made it.
    pub(crate) fn expect_plain(&self, figure: &'static str, at_least: u64) {
        self.found().plain.expect(figure, at_least);
    }

    /// So many more of what plain sqlx did, as the control.
    pub(crate) fn count_plain(&self, figure: &'static str, more: u64) {
        self.found().plain.count(figure, more);
    }

    /// Something was not as it must be.
    pub(crate) fn violation(&self, database: Database, what: impl fmt::Display) {
        let mut found = self.found();
        found.violations += 1;
        if found.violations <= PRINTED {
            println!("violation in {} ({database}): {what}", self.campaign);
        }
        if found.violations == PRINTED {
            println!("further violations are counted only");
        }
    }

    /// There is none to attack, and whoever was to start it has said why.
    pub(crate) fn miss_server(&self, database: Database) {
        self.found().lacks_server = true;
        eprintln!(
            "error: no server for {} on {database} could be started: see above",
            self.campaign
        );
    }

    pub(crate) fn violations(&self) -> usize {
        self.found().violations
    }

    /// Whether nothing more is to be done.
    pub(crate) fn is_settled(&self, short: bool) -> bool {
        self.found().is_enough(short)
    }

    /// All was done on this database. Too little is as bad as something wrong.
    pub(crate) fn settle(&self, database: Database, short: bool) {
        let (missed, missed_plain, is_kept) = {
            let found = &mut *self.found();
            // What was found has kept the rest from being done.
            let is_kept = found.violations > found.settled || found.is_enough(short);
            (found.figures.settle(), found.plain.settle(), is_kept)
        };
        if !is_kept {
            for missed in missed {
                self.violation(database, missed);
            }
            for missed in missed_plain {
                self.violation(database, format_args!("of plain sqlx {missed}"));
            }
        }
        let found = &mut *self.found();
        found.settled = found.violations;
    }

    /// Prints how it went.
    pub(crate) fn conclude(&self) -> Verdict {
        let found = &*self.found();
        if !found.plain.is_empty() {
            println!("plain sqlx: {}", found.plain);
        }
        if found.lacks_server {
            return Verdict::NotRun;
        }
        println!(
            "campaign {}: {}; violations {}",
            self.campaign, found.figures, found.violations
        );
        if found.violations == 0 {
            Verdict::Holds
        } else {
            Verdict::Violated
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_that_did_not_fire_are_no_success() {
        let report = Report::new("none");
        report.expect("faults", 1);
        report.count("faults", 1);
        report.settle(Database::Sqlite, false);
        assert_eq!(report.conclude(), Verdict::Holds);
        report.expect("faults", 1);
        report.settle(Database::MySql, false);
        assert_eq!(report.violations(), 1);
        report.expect("faults", 1);
        report.settle(Database::Postgres, false);
        assert_eq!(
            report.violations(),
            2,
            "those of another database hide nothing"
        );
        assert_eq!(report.conclude(), Verdict::Violated);
        let report = Report::new("none");
        report.expect_plain("lost writes", 1);
        report.settle(Database::Sqlite, false);
        assert_eq!(report.conclude(), Verdict::Violated);
    }

    #[test]
    fn one_violation_is_enough() {
        let report = Report::new("none");
        report.violation(Database::Sqlite, "a row is gone");
        assert_eq!(report.conclude(), Verdict::Violated);
        assert!(report.is_settled(true) && !report.is_settled(false));
    }
}
