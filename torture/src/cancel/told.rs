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

    /// What of it is not true of a call that has left so many of its rows.
    pub(super) fn lie(&self, left: usize, rows: usize) -> Option<String> {
        let heard = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let is_true = match heard.ends[..] {
            [] => !heard.registered && left == 0,
            [Outcome::Committed] => (heard.commits, heard.rollbacks, left) == (1, 0, rows),
            [Outcome::RolledBack | Outcome::NotSent] => {
                (heard.commits, heard.rollbacks, left) == (0, 1, 0)
            }
            [_] => (heard.commits, heard.rollbacks) == (0, 0),
            _ => false,
        };
        (!is_true)
            .then(|| format!("{left} of {rows} rows are there, and its hooks were told {heard:?}"))
    }

    fn hear(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
