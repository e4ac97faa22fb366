//! `#[retry]`: what failed and may succeed next time starts over.

mod args;
mod expand;
mod plan;
mod policy;

pub(crate) use args::{Args, TABLE, read};
pub(crate) use expand::{
    bare, documentation, in_scope, operation, parameters, probes, restart, retrying,
};
pub(crate) use plan::{Plan, decide};
