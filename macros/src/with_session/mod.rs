//! `#[with_session]`: the function's body runs in a session of its own.

mod args;
mod bound;
mod expand;
mod plan;
mod recursion;
mod terms;

pub(crate) use args::{Args, TABLE, read};
pub(crate) use bound::mend as mend_bound;
pub(crate) use expand::{documentation, operation, parameter, probes, steps};
pub(crate) use plan::{Plan, Recursion, decide};
pub(crate) use recursion::{body as recursive_body, signature as recursive_signature};
