//! What is asked of a connection's encryption holds for each that a pool opens: for sessions, for cancels and for
//! questions to the ledger.

#[macro_use]
mod ground;

mod encrypted;
mod refused;
