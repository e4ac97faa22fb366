//! `#[derive(SessionError)]`: an error type that carries the database's.

mod args;
mod expand;
mod holders;
mod plan;

pub(crate) use args::read;
pub(crate) use expand::write;
pub(crate) use plan::decide;
