//! What a reader sees at the end.

use std::process::ExitCode;

use crate::style::{Style, span, thousands};
use crate::{Args, Bank, Branch, Check, Fate, Tally, checks};

/// The table of a run.
#[derive(Debug)]
pub struct Report {
    faults: Vec<Check>,
    checks: Vec<Check>,
}

/// How wide the left column is.
const LABEL: usize = 44;

impl Report {
    /// Says what is going to happen.
    pub fn announce(title: &str, args: &Args, bank: &Bank) {
        let style = Style::of_stdout();
        println!(
            "\n{} {}",
            style.bold(title),
            style.dim(format!("· {} · --seed {}", bank.place(), args.seed()))
        );
        println!(
            "{} transfers by {} tasks between 100 accounts, chaos in {} % of the calls\n",
            thousands(args.transfers),
            args.tasks,
            args.chaos
        );
    }

    /// Asks the branch and the database, and prints everything.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn of<B: Branch>(
        branch: &B,
        args: &Args,
        bank: &Bank,
        tally: &Tally,
    ) -> anyhow::Result<Self> {
        let retries = branch.retries();
        let conflicts = retries
            .iter()
            .filter(|(cause, _)| cause.contains("conflict"))
            .map(|(_, count)| count)
            .sum();
        let report = Self {
            faults: checks::faults(args, bank, tally, conflicts),
            checks: checks::verify(branch, bank, tally).await?,
        };
        let style = Style::of_stdout();
        print_calls(style, args, tally);
        print_retries(style, &retries);
        print_speed(style, tally);
        print_checks(style, "faults that really happened", &report.faults);
        print_checks(
            style,
            "what the database says, asked over a plain sqlx connection",
            &report.checks,
        );
        Ok(report)
    }

    /// Whether every check holds and every kind of fault happened.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.faults
            .iter()
            .chain(&self.checks)
            .all(|check| check.holds)
    }

    /// How many checks do not hold.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.checks.iter().filter(|check| !check.holds).count()
    }
}

/// How a run ends for whoever started it: 0 if it went well, else 1, and the error in one line.
pub fn exit_code(result: anyhow::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn heading(style: Style, text: &str) {
    println!("{}", style.bold(text));
}

fn line(label: &str, value: &str, note: &str) {
    let label = match label.char_indices().nth(LABEL) {
        Some((end, _)) => format!("{}…", &label[..end - 1]),
        None => label.to_owned(),
    };
    println!(
        "{}",
        format!("  {label:<LABEL$} {value:>10}  {note}").trim_end()
    );
}

fn print_calls(style: Style, args: &Args, tally: &Tally) {
    heading(style, "calls");
    for (fate, count) in &tally.fates {
        let label = match fate {
            Fate::Committed => "committed".to_owned(),
            Fate::TooLittleMoney => "refused: too little money".to_owned(),
            Fate::Failed => "failed on purpose".to_owned(),
            Fate::Panicked => "panicked on purpose".to_owned(),
            Fate::Dropped => "dropped".to_owned(),
            Fate::Database(cause) => format!("error: {cause}"),
            Fate::InDoubt(cause) => format!("in doubt: {cause}"),
            Fate::Stuck => "no answer at all".to_owned(),
            Fate::Bug => "panicked, not on purpose".to_owned(),
        };
        let per_mille = count * 1000 / args.transfers;
        line(
            &label,
            &thousands(count),
            &style.dim(format!("{:>3}.{} %", per_mille / 10, per_mille % 10)),
        );
    }
    println!();
}

fn print_retries(style: Style, retries: &std::collections::BTreeMap<String, u64>) {
    heading(style, "retries");
    for (cause, count) in retries {
        line(cause, &thousands(count), "");
    }
    if retries.is_empty() {
        line("none was needed", "0", "");
    }
    println!();
}

fn print_speed(style: Style, tally: &Tally) {
    heading(style, "speed");
    let per_second = tally.acknowledged.len() as u128 * 1000 / tally.took.as_millis().max(1);
    line(
        "transfers per second",
        &thousands(per_second),
        &style.dim(format!("in {}", span(tally.took))),
    );
    for percent in [50, 95, 99] {
        line(
            &format!("p{percent}"),
            &span(tally.latency.percentile(percent)),
            "",
        );
    }
    line("longest", &span(tally.latency.longest()), "");
    println!();
}

fn print_checks(style: Style, title: &str, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    heading(style, title);
    for check in checks {
        let (tick, found) = if check.holds {
            (style.good("✓"), style.dim(&check.found))
        } else {
            (style.bad("✗"), style.bad(&check.found))
        };
        println!(
            "  {tick} {:<width$} {found}",
            check.promise,
            width = LABEL - 2
        );
    }
    println!();
}
