//! What `quickstart` and `plain_sqlx` share: the same bank, the same calls, the same chaos, the same checks.
//!
//! Neither of them is favoured here: nothing in this crate knows steadfast. Each brings its own way to run a
//! transfer, and the checks ask the database over a plain sqlx connection.

mod args;
mod bank;
mod chaos;
mod checks;
mod latency;
mod report;
mod style;
mod witness;
mod workload;

pub use args::Args;
pub use bank::{Bank, Engine, Statements};
pub use chaos::{Mischief, OnPurpose, Order, Step};
pub use checks::{Check, Leftover};
pub use report::{Report, exit_code};
pub use workload::{Branch, Fate, Refusal, Retries, Tally, run};
