//! Annotated functions and closures inside a caller's session.

mod autocommit;
mod calls;
mod closures;
mod control_statements;
mod exchanged;
mod identity;
mod join;
mod mismatches;
mod never;
mod send;
