//! The pool: what it refuses, how long it waits, what it keeps, and how it ends.

mod after_connect;
mod close;
mod connections;
mod idle;
mod queue;
mod refusals;
mod sqlite;
mod unreachable;
