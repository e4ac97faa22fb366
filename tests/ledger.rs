//! What became of a commit whose answer was lost.

mod costs;
mod foreign;
mod hidden;
mod idempotent;
mod in_flight;
mod keys;
mod kills;
mod layers;
mod lost_answers;
mod resolve;
mod rights;
mod schemas;
mod sqlite;
mod tables;
mod tokens;
mod transparent;
