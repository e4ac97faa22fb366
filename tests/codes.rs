//! Every line of the code tables: provoked on a real server, or the reason why it cannot be.

#[macro_use]
mod steps;
mod mysql;
mod postgres;
mod sqlite;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures_util::future::BoxFuture;
use steadfast::{Category, Error, Integrity, Outcome, Phase};

/// One code: how it is provoked, and what the user then sees.
pub struct Row<S: 'static> {
    code: &'static str,
    name: &'static str,
    /// The line of the table that judges the code: its own, that of its class, or none.
    line: &'static str,
    provoked: Provoked<S>,
    sees: Sees,
}

pub enum Provoked<S: 'static> {
    /// By the last of these statements in a session that has written before, or by its COMMIT.
    By(&'static [&'static str]),
    /// In a scene of its own.
    When(&'static str, Scene<S>),
}

pub type Scene<S> = for<'a> fn(&'a S) -> BoxFuture<'a, Result<(), Error>>;

/// What the user sees of the error, and what is found in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sees {
    category: Category,
    phase: Phase,
    outcome: Outcome,
    is_retryable: bool,
    /// How many rows the session has left behind.
    kept: i64,
}

pub const fn row<S>(
    code: &'static str,
    name: &'static str,
    provoked: Provoked<S>,
    sees: Sees,
) -> Row<S> {
    Row {
        code,
        name,
        line: code,
        provoked,
        sees,
    }
}

impl<S> Row<S> {
    const fn by_line(mut self, line: &'static str) -> Self {
        self.line = line;
        self
    }
}

/// A statement is refused, and the session rolled back.
pub const fn refused(category: Category) -> Sees {
    Sees {
        category,
        phase: Phase::Body,
        outcome: Outcome::RolledBack,
        is_retryable: false,
        kept: 0,
    }
}

pub const fn integrity(kind: Integrity) -> Sees {
    refused(Category::Integrity(kind))
}

/// The connection is lost with the statement: nothing is kept, and nobody has said so.
pub const fn lost() -> Sees {
    refused(Category::Connection)
        .outcome(Outcome::NotSent)
        .retryable()
}

/// No connection comes to be.
pub const fn unconnected(category: Category) -> Sees {
    refused(category)
        .at(Phase::Acquire)
        .outcome(Outcome::NotSent)
}

impl Sees {
    const fn at(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    const fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }

    const fn kept(mut self, rows: i64) -> Self {
        self.kept = rows;
        self
    }
}

/// Where rows are provoked, one after the other.
pub trait Stage: Sync {
    /// Writes a row of `work` in a session, then runs the statements in it.
    fn run<'a>(&'a self, statements: &'a [&'static str]) -> BoxFuture<'a, Result<(), Error>>;
    /// Waits until no transaction is open, then removes the rows of `work` and says how many there were. All of it
    /// by plain connections.
    fn kept(&self) -> BoxFuture<'_, i64>;
}

/// Provokes each row and looks at what the user sees, and at what the database has.
pub async fn provoke<S: Stage>(stage: &S, rows: &[Row<S>], gone: &[&str]) {
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| !gone.contains(&row.code)) {
        let provoked = match row.provoked {
            Provoked::By(statements) => stage.run(statements).await,
            Provoked::When(_, scene) => scene(stage).await,
        };
        let kept = stage.kept().await;
        let Err(error) = provoked else {
            wrong.push(format!("{} {}: nothing failed", row.code, row.name));
            continue;
        };
        let sees = Sees {
            category: error.category(),
            phase: error.phase(),
            outcome: error.outcome(),
            is_retryable: error.is_retryable(),
            kept,
        };
        if error.code() != Some(row.code) || sees != row.sees {
            wrong.push(format!("{} {}: {sees:?}, {error:?}", row.code, row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An error that was raised rather than provoked is judged like one that was, and its session is rolled back.
pub async fn assert_judged(stage: &impl Stage, error: &Error, code: &str, category: Category) {
    assert_eq!(
        (error.code(), error.category()),
        (Some(code), category),
        "{error:?}"
    );
    assert_eq!(error.phase(), Phase::Body);
    assert!(
        matches!(error.outcome(), Outcome::RolledBack | Outcome::NotSent),
        "{error:?}"
    );
    assert_eq!(stage.kept().await, 0, "{code}");
}

/// Provoked and not provoked are together the lines of the table, and none is both.
pub fn assert_complete<S>(
    table: impl Iterator<Item = (String, Category)>,
    provoked: &[&[Row<S>]],
    not_provoked: &[(&str, &str)],
    least: usize,
) {
    let table: BTreeSet<String> = table.map(|(line, _)| line).collect();
    let lines = |of: &dyn Fn(&Row<S>) -> &'static str| -> BTreeSet<String> {
        let rows = provoked.iter().copied().flatten();
        rows.map(of).map(str::to_owned).collect()
    };
    for row in provoked.iter().copied().flatten() {
        let own = table.contains(row.code);
        assert_eq!(
            own,
            row.line == row.code,
            "{}: judged by its own line",
            row.code
        );
    }
    let mut seen = lines(&|row| row.line);
    // Not a line, but what is judged by none.
    seen.remove("");
    let unseen: BTreeSet<String> = not_provoked
        .iter()
        .map(|(line, _)| (*line).to_owned())
        .collect();
    assert_eq!(unseen.len(), not_provoked.len(), "one reason for each");
    assert!(
        seen.is_disjoint(&unseen),
        "{:?}",
        seen.intersection(&unseen)
    );
    assert_eq!(&seen | &unseen, table);
    let codes = lines(&|row| row.code).len();
    assert!(codes >= least, "{codes} codes are provoked");
}

/// The list, to be quoted.
pub fn print<S>(database: &str, provoked: &[&[Row<S>]], not_provoked: &[(&str, &str)]) {
    let mut text = String::new();
    let rows: Vec<_> = provoked.iter().copied().flatten().collect();
    for row in &rows {
        let how = match row.provoked {
            Provoked::By([.., last]) => last,
            Provoked::By([]) => "",
            Provoked::When(what, _) => what,
        };
        let Sees {
            category,
            phase,
            outcome,
            is_retryable,
            kept,
        } = row.sees;
        writeln!(
            text,
            "| {} | {} | {how} | {category} | {phase} | {outcome} | {} | {kept} |",
            row.code,
            row.name,
            if is_retryable { "yes" } else { "no" },
        )
        .unwrap();
    }
    for (line, reason) in not_provoked {
        writeln!(text, "| {line} | not provoked: {reason} |").unwrap();
    }
    let codes: BTreeSet<_> = rows.iter().map(|row| row.code).collect();
    println!(
        "{database}: {} codes provoked in {} ways, {} lines not\n\
         | code | name | provoked by | category | phase | outcome | retried | kept |\n{text}",
        codes.len(),
        rows.len(),
        not_provoked.len(),
    );
}
