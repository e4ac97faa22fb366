//! A TCP proxy on loopback, between a client and a real server, that tests can order about.
//!
//! It counts round trips and reads what the client sends; it forwards a few bytes at a time, late, or not at all; it
//! cuts connections, and loses exactly the answer to a chosen statement. Every order holds at once, for open
//! connections too.
//!
//! It runs in a thread of its own, so that it works whatever becomes of the test's runtime, and ends with its value.

mod framing;
mod handle;
mod link;
mod mysql;
mod postgres;
mod protocol;

mod rules;
mod sent;
mod traffic;

pub use handle::Proxy;
pub use protocol::Protocol;
pub use rules::Fault;
pub use sent::Sent;
pub use traffic::Report;
