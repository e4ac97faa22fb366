//! `#[db_error_handling]`: what leaves the function says where it comes from, or is translated.

mod args;
mod expand;
mod plan;

pub(crate) use args::{Args, TABLE, read};
pub(crate) use expand::{bare, documentation, handle, operation};
pub(crate) use plan::{Plan, decide};
