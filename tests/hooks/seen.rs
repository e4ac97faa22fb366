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

/// A line of a table.
pub fn line(database: &str, way: &str, ran: Ran, kept: i64) -> String {
    let outcome = ran.outcome.map_or("-", Outcome::as_str);
    format!(
        "{database:9} | {way:58} | {:>9} | {:>11} | {:>6} | {outcome:11} | {kept:>4}",
        ran.commit, ran.rollback, ran.end
    )
}

pub fn head() -> String {
    format!(
        "{:9} | {:58} | on_commit | on_rollback | on_end | {:11} | {:>4}",
        "database", "way of ending", "it was told", "rows"
    )
}
