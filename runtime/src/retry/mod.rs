//! Whether, and after which wait, a failed call is tried again.
//!
//! [`policy`] is what the user chose, [`backoff`] makes waits of it, [`retrying`] decides for one call.

mod backoff;
mod policy;
mod retrying;

pub(crate) use backoff::Reconnect;
pub use policy::{Jitter, RetryPolicy};
pub(crate) use retrying::Retrying;
