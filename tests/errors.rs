//! What an error says, to the code, to the log and to a user; and what it never says.

#[macro_use]
mod helpers;

mod canary;
mod categories;
mod constraints;
mod logs;
mod passwords;
mod servers;
mod translated;
