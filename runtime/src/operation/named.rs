//! Operations without an attribute: one for each name.

use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use super::Operation;

type Named = RwLock<HashMap<&'static str, &'static Operation>>;

fn all() -> &'static Named {
    static NAMED: OnceLock<Named> = OnceLock::new();
    NAMED.get_or_init(Named::default)
}

/// The operation of that name, made with its first use and kept for as long as the process lives.
pub(crate) fn named(name: &'static str) -> &'static Operation {
    let known = all()
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(name)
        .copied();
    known.unwrap_or_else(|| {
        let mut all = all().write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been faster.
        all.entry(name)
            .or_insert_with(|| Box::leak(Box::new(Operation::new(name))))
    })
}

/// Those that there are by now.
pub(super) fn listed() -> Vec<&'static Operation> {
    all()
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .copied()
        .collect()
}
