//! Attempts: how many, how soon, after what, and what each of them finds.

mod attempts;
mod causes;
mod committed;
mod elsewhere;
mod layers;
mod locks;
mod lost_connections;
mod procedures;
mod serialization;
mod sqlite_busy;
mod swallowed;
mod waits;
