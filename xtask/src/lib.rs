//! What the tests and the commands of `cargo xtask` share: private database servers and a TCP proxy that
//! counts, trickles, delays, holds and cuts.

pub mod database;
pub mod proxy;
pub mod servers;
