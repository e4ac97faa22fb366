//! Writes down what transactions do while they do it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast::{Backend, Outcome, Session};

use super::plan;
use super::transaction::{Fate, Key, Step, Transaction, Value};

#[derive(Debug, Default)]
pub(super) struct Scribe {
    /// One further at each look: what has returned before another was called has the lesser number.
    clock: AtomicU64,
    values: AtomicI64,
    attempts: Mutex<Vec<Arc<Attempt>>>,
}

/// One transaction, while it is under way.
#[derive(Debug)]
pub(super) struct Attempt {
    called: u64,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    steps: Vec<Step>,
    /// What the caller was told, and when.
    told: Option<(Fate, u64)>,
    /// What its hook was told.
    hooked: Vec<Outcome>,
}

/// The transactions of one call: the last of them is under way.
#[derive(Debug, Default)]
pub(super) struct Call(Mutex<Option<Arc<Attempt>>>);

impl Scribe {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A value that nobody has appended, and where it belongs.
    pub(super) fn append(&self, list: usize) -> (Key, Value) {
        let value = self.values.fetch_add(1, Ordering::Relaxed);
        (plan::key(list, value), value)
    }

    pub(super) fn read(&self, list: usize) -> Key {
        plan::key(list, self.values.load(Ordering::Relaxed))
    }

    /// A further attempt of a call: the one before it was undone, or there would be none.
    pub(super) fn begin(&self, call: &Call) -> Arc<Attempt> {
        let attempt = self.attempt();
        let mut last = call.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = last.replace(Arc::clone(&attempt)) {
            self.tell(&before, Fate::Aborted);
        }
        attempt
    }

    /// Appends that are to be undone whatever becomes of the transaction that they are made in.
    pub(super) fn begin_in_vain(&self) -> Arc<Attempt> {
        let attempt = self.attempt();
        self.tell(&attempt, Fate::Aborted);
        attempt
    }

    fn attempt(&self) -> Arc<Attempt> {
        let attempt = Arc::new(Attempt {
            called: self.now(),
            record: Mutex::default(),
        });
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.push(Arc::clone(&attempt));
        attempt
    }

    /// What a caller was told of his call.
    pub(super) fn end(&self, call: &Call, fate: Fate) {
        let last = call.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = &*last {
            self.tell(attempt, fate);
        }
    }

    fn tell(&self, attempt: &Attempt, fate: Fate) {
        attempt.record().told = Some((fate, self.now()));
    }

    /// All that was written down, and where callers and hooks were told what does not go together.
    pub(super) fn history(&self) -> (Vec<Transaction>, Vec<String>) {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lies = Vec::new();
        let transactions = attempts.iter().map(|attempt| {
            let record = attempt.record();
            let hooked = match record.hooked[..] {
                [] => Fate::Unknown,
                [outcome] => fate(outcome),
                _ => {
                    lies.push(format!("a hook was told {:?}", record.hooked));
                    Fate::Unknown
                }
            };
            let (told, returned) = record
                .told
                .map_or((Fate::Unknown, None), |(told, moment)| (told, Some(moment)));
            let transaction = Transaction {
                steps: record.steps.clone(),
                fate: if told == Fate::Unknown { hooked } else { told },
                called: attempt.called,
                returned: returned.filter(|_| told == Fate::Committed),
            };
            if told != Fate::Unknown && hooked != Fate::Unknown && told != hooked {
                lies.push(format!(
                    "told {told:?} to the caller, {hooked:?} to the hook: {transaction}"
                ));
            }
            transaction
        });
        let transactions = transactions.collect();
        (transactions, lies)
    }
}

impl Attempt {
    pub(super) fn note(&self, step: Step) {
        self.record().steps.push(step);
    }

    /// Lets the end of a session be told even where nobody waits for it.
    pub(super) fn watch<DB: Backend>(self: &Arc<Self>, session: &mut Session<DB>) {
        let attempt = Arc::clone(self);
        session.on_end(move |outcome| attempt.record().hooked.push(outcome));
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Committed => Fate::Committed,
        Outcome::NotSent | Outcome::RolledBack => Fate::Aborted,
        _ => Fate::Unknown,
    }
}
