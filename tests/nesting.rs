//! Annotated functions and closures inside a caller's session.

mod calls;
mod closures;
mod identity;
mod mismatches;
mod send;
