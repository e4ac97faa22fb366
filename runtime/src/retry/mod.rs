//! Whether, and after which wait, a failed call is tried again.
//!
//! [`policy`] is what the user chose, [`backoff`] makes waits of it, [`retrying`] decides for one call, [`budget`] limits
//! what all calls of a pool do together.

mod backoff;
mod budget;
#[cfg(test)]
mod budget_tests;
mod policy;
mod retrying;

pub(crate) use backoff::Reconnect;
pub(crate) use budget::Budget;
pub use budget::RetryBudget;
pub use policy::{Jitter, RetryPolicy};
pub(crate) use retrying::Retrying;
