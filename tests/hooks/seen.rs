//! Hooks that note that they ran.

use std::sync::{Arc, Mutex};

use steadfast::{Backend, Outcome, Session, SessionPool};

/// What the hooks of one call have done, in order.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

/// How often each hook ran, and with which outcome the last was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    pub commit: usize,
    pub rollback: usize,
    pub end: usize,
    pub outcome: Option<Outcome>,
}

impl Ran {
    pub const NOTHING: Self = Self {
        commit: 0,
        rollback: 0,
        end: 0,
        outcome: None,
    };

    pub const fn committed(outcome: Outcome) -> Self {
        Self {
            commit: 1,
            rollback: 0,
            end: 1,
            outcome: Some(outcome),
        }
    }

    pub const fn rolled_back(outcome: Outcome) -> Self {
        Self {
            commit: 0,
            rollback: 1,
            end: 1,
            outcome: Some(outcome),
        }
    }

    pub const fn ended(outcome: Outcome) -> Self {
        Self {
            commit: 0,
            rollback: 0,
            end: 1,
            outcome: Some(outcome),
        }
    }
}

impl Seen {
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// Gives a session one hook of each kind.
    pub fn watch<DB: Backend>(&self, session: &mut Session<DB>) {
        self.watch_as(session, "");
    }

    /// The same with a name to tell them from others.
    pub fn watch_as<DB: Backend>(&self, session: &mut Session<DB>, name: &str) {
        let (seen, said) = (self.clone(), format!("{name}commit"));
        session.on_commit(async move { seen.note(said) });
        let (seen, said) = (self.clone(), format!("{name}rollback"));
        session.on_rollback(async move { seen.note(said) });
        let (seen, name) = (self.clone(), name.to_owned());
        session.on_end(move |outcome| seen.note(format!("{name}end {outcome}")));
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn ran(&self) -> Ran {
        let all = self.all();
        let count = |what: &str| all.iter().filter(|said| said.starts_with(what)).count();
        let outcome = all
            .iter()
            .rev()
            .find_map(|said| match said.strip_prefix("end ")? {
                "committed" => Some(Outcome::Committed),
                "rolled_back" => Some(Outcome::RolledBack),
                "not_sent" => Some(Outcome::NotSent),
                "unknown" => Some(Outcome::Unknown),
                other => panic!("no outcome: {other}"),
            });
        Ran {
            commit: count("commit"),
            rollback: count("rollback"),
            end: count("end "),
            outcome,
        }
    }

    /// What ran, once nobody holds anything of the pool.
    pub async fn settled<DB: Backend>(&self, pool: &SessionPool<DB>) -> Ran {
        crate::support::quiet(pool).await;
        self.ran()
    }
}

/// Way of ending × which hook ran × how often × what it was told × how many rows are there.
pub struct Table {
    database: &'static str,
    lines: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    pub fn of(database: &'static str) -> Self {
        Self {
            database,
            lines: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// What was seen, with the rows that are there, beside what should be.
    pub fn row(&mut self, way: &str, seen: &Seen, rows: i64, expected: (Ran, i64)) {
        let ran = seen.ran();
        let outcome = ran.outcome.map_or("-", Outcome::as_str);
        let line = format!(
            "{:9} | {way:58} | {:>9} | {:>11} | {:>6} | {outcome:11} | {rows:>4}",
            self.database, ran.commit, ran.rollback, ran.end
        );
        if (ran, rows) != expected {
            let all = seen.all();
            self.wrong.push(format!(
                "{line}\n  expected {expected:?}; in order: {all:?}"
            ));
        }
        self.lines.push(line);
    }

    /// Prints it, and fails where a cell is wrong.
    pub fn show(self) {
        let head = format!(
            "{:9} | {:58} | on_commit | on_rollback | on_end | {:11} | rows",
            "database", "way of ending", "it was told"
        );
        println!("{head}\n{}", self.lines.join("\n"));
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}
