//! Traps that had no test of their own, and the table of all: "Traps and where they are tested" in ARCHITECTURE.md.

mod lifetimes;
mod methods;
mod orders;
mod table;
