//! The behaviours of steadfast on real servers, a file each; the same source for the three databases.
//!
//! `cargo xtask test` starts the servers and says where they are. Every test has a schema, database or file
//! of its own, and looks at what happened through a plain sqlx connection.

#![allow(
    clippy::pedantic,
    clippy::assertions_on_constants,
    clippy::explicit_auto_deref,
    unreachable_pub,
    unused_qualifications,
    missing_docs,
    reason = "tests are read for what they show, their names are their documentation, and one source serves three \
              databases"
)]

#[macro_use]
extern crate steadfast_tests;

use steadfast_tests::support;

mod after_drop;
mod beside_sqlx;
mod checked;
mod closing;
mod codes;
mod control_line;
mod doors;
mod endings;
mod errors;
mod executor;
mod hooks;
mod ledger;
mod lending;
mod limits;
mod limits_of_statements;
mod lone_statements;
mod many;
mod names;
mod nesting;
mod pool;
mod retry;
mod round_trips;
mod savepoints;
mod seeing;
mod sqlite;
mod sqlite_waits;
mod strangers;
mod tls;
mod traps;
mod trickle;
