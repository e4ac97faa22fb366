//! The queue of a process's writers, one per database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::sync::Semaphore;

/// The gate of the database of that name: the same one for every pool on it, fair, one at a time.
pub(super) fn of(name: String) -> Arc<Semaphore> {
    static GATES: OnceLock<Mutex<HashMap<String, Weak<Semaphore>>>> = OnceLock::new();
    let mut gates = GATES
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    gates.retain(|_, gate| gate.strong_count() > 0);
    if let Some(gate) = gates.get(&name).and_then(Weak::upgrade) {
        return gate;
    }
    let gate = Arc::new(Semaphore::new(1));
    gates.insert(name, Arc::downgrade(&gate));
    gate
}
