//! What a campaign has done and found.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xtask::database::Database;

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
    /// In the order in which they were named first.
    figures: Vec<(&'static str, u64)>,
    minima: Vec<(&'static str, u64)>,
    plain: Vec<(&'static str, u64)>,
    plain_minima: Vec<(&'static str, u64)>,
    violations: usize,
    lacks_server: bool,
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
        add(&mut self.found().figures, figure, more);
    }

    /// The greatest that `figure` was.
    pub(crate) fn greatest(&self, figure: &'static str, value: u64) {
        let figures = &mut self.found().figures;
        match figures.iter_mut().find(|(name, _)| *name == figure) {
            Some((_, greatest)) => *greatest = value.max(*greatest),
            None => figures.push((figure, value)),
        }
    }

    /// A campaign that does less than this of what `figure` counts has shown nothing, and fails. Those of several
    /// databases add up.
    pub(crate) fn expect(&self, figure: &'static str, at_least: u64) {
        let found = &mut *self.found();
        add(&mut found.figures, figure, 0);
        add(&mut found.minima, figure, at_least);
    }

    /// The same for what plain sqlx does: where it does not, the campaign could not have made it.
    pub(crate) fn expect_plain(&self, figure: &'static str, at_least: u64) {
        let found = &mut *self.found();
        add(&mut found.plain, figure, 0);
        add(&mut found.plain_minima, figure, at_least);
    }

    /// So many more of what plain sqlx did, as the control.
    pub(crate) fn count_plain(&self, figure: &'static str, more: u64) {
        add(&mut self.found().plain, figure, more);
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

    /// Whether more violations would say nothing more. A short form is about whether there are any.
    pub(crate) fn is_settled(&self, short: bool) -> bool {
        let found = self.found();
        found.lacks_server || found.violations >= if short { 1 } else { PRINTED }
    }

    /// Prints how it went. Too little done is as bad as something wrong.
    pub(crate) fn conclude(&self) -> Verdict {
        let found = &mut *self.found();
        if !found.plain.is_empty() {
            println!("plain sqlx: {}", listed(&found.plain));
        }
        // What was found has kept the rest from being done.
        if found.violations == 0 && !found.lacks_server {
            let campaign = self.campaign;
            for (figure, done, at_least) in missed(&found.figures, &found.minima) {
                found.violations += 1;
                println!("violation in {campaign}: too few {figure}: {done} of {at_least}");
            }
            for (figure, done, at_least) in missed(&found.plain, &found.plain_minima) {
                found.violations += 1;
                println!(
                    "violation in {campaign}: too few {figure} of plain sqlx: {done} of {at_least}"
                );
            }
        }
        if found.lacks_server {
            return Verdict::NotRun;
        }
        println!(
            "campaign {}: {}; violations {}",
            self.campaign,
            listed(&found.figures),
            found.violations
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

fn add(figures: &mut Vec<(&'static str, u64)>, figure: &'static str, more: u64) {
    match figures.iter_mut().find(|(name, _)| *name == figure) {
        Some((_, count)) => *count += more,
        None => figures.push((figure, more)),
    }
}

/// The figures that are below their minima, with both.
fn missed<'f>(
    figures: &'f [(&'static str, u64)],
    minima: &'f [(&'static str, u64)],
) -> impl Iterator<Item = (&'static str, u64, u64)> {
    let compared = minima
        .iter()
        .map(|&(figure, at_least)| (figure, value(figures, figure), at_least));
    compared.filter(|(_, done, at_least)| done < at_least)
}

fn value(figures: &[(&'static str, u64)], figure: &str) -> u64 {
    let found = figures.iter().find(|(name, _)| *name == figure);
    found.map_or(0, |(_, value)| *value)
}

fn listed(figures: &[(&'static str, u64)]) -> String {
    let figures: Vec<String> = figures
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    figures.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_that_did_not_fire_are_no_success() {
        let report = Report::new("none");
        report.expect("faults", 2);
        report.expect("faults", 1);
        report.count("faults", 2);
        assert_eq!(report.conclude(), Verdict::Violated, "2 of 3");
        let report = Report::new("none");
        report.expect("faults", 1);
        report.count("faults", 1);
        assert_eq!(report.conclude(), Verdict::Holds);
    }

    #[test]
    fn one_violation_is_enough() {
        let report = Report::new("none");
        report.violation(Database::Sqlite, "a row is gone");
        assert_eq!(report.conclude(), Verdict::Violated);
        assert!(report.is_settled(true) && !report.is_settled(false));
    }
}
