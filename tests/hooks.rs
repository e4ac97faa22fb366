//! What is done once a session has ended.

mod close;
mod drops;
mod inner;
mod levels;
mod misbehaving;
mod runtimes;
pub mod seen;
mod servers;
mod table;
