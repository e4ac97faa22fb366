//! Annotated functions and closures inside a caller's session.

mod calls;
mod closures;
mod control_statements;
mod identity;
mod mismatches;
mod send;
