//! What hooks were told of one call.

use std::sync::{Arc, Mutex, PoisonError};

use steadfast::{Backend, Outcome, Session};

/// A clone hears the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<Heard>>);

#[derive(Clone, Debug, Default)]
struct Heard {
    registered: bool,
    commits: usize,
    rollbacks: usize,
    ends: Vec<Outcome>,
    attempts: Attempts,
}

/// How far a call has come whose first attempt fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Attempts {
    #[default]
    Unknown,
    First,
    FirstFailed,
    Second,
}

impl Told {
    /// Gives a session a hook of each kind; those that may wait do.
    pub(super) fn watch<DB: Backend>(&self, session: &mut Session<DB>) {
        self.hear(|heard| heard.registered = true);
        let told = self.clone();
        session.on_commit(async move {
            tokio::task::yield_now().await;
            told.hear(|heard| heard.commits += 1);
        });
        let told = self.clone();
        session.on_rollback(async move {
            tokio::task::yield_now().await;
            told.hear(|heard| heard.rollbacks += 1);
        });
        let told = self.clone();
        session.on_end(move |outcome| told.hear(|heard| heard.ends.push(outcome)));
    }

    /// An attempt of a call whose first one fails.
    pub(super) fn begins(&self, is_first: bool) {
        self.hear(|heard| {
            heard.attempts = if is_first {
                Attempts::First
            } else {
                Attempts::Second
            };
        });
    }

    pub(super) fn fails(&self) {
        self.hear(|heard| heard.attempts = Attempts::FirstFailed);
    }

    /// What it is counted as where such a call was dropped.
    pub(super) fn stage(&self) -> Option<&'static str> {
        match self.heard().attempts {
            Attempts::Unknown => None,
            Attempts::First => Some("dropped in a first attempt"),
            Attempts::FirstFailed => Some("dropped ahead of a retry"),
            Attempts::Second => Some("dropped in a second attempt"),
        }
    }

    /// What of it is not true of a call that has left so many of its rows.
    pub(super) fn lie(&self, left: usize, rows: usize) -> Option<String> {
        let heard = self.heard();
        let is_true = match heard.ends[..] {
            [] => !heard.registered && left == 0,
            [Outcome::Committed] => (heard.commits, heard.rollbacks, left) == (1, 0, rows),
            [Outcome::RolledBack | Outcome::NotSent] => {
                (heard.commits, heard.rollbacks, left) == (0, 1, 0)
            }
            // Nothing but the drop disturbs it: whatever was sent is answered, and nobody has to be in doubt.
            _ => false,
        };
        (!is_true)
            .then(|| format!("{left} of {rows} rows are there, and its hooks were told {heard:?}"))
    }

    fn heard(&self) -> Heard {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    fn hear(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
