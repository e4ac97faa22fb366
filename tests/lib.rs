//! The ground that tests and campaigns stand on: places on real servers, and the same names for the three databases.

#![allow(
    clippy::pedantic,
    unreachable_pub,
    missing_docs,
    reason = "read by tests, and for what it shows"
)]

#[macro_use]
pub mod support;
