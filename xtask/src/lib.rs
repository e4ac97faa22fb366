//! What the tests and the commands of `cargo xtask` share: private database servers and a TCP proxy that
//! counts, trickles, delays, holds and cuts.

pub mod database;
pub mod proxy;
pub mod servers;

/// Its code has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../CONTRIBUTING.md")]
pub struct Contributing;
