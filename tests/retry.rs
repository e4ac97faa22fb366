//! Attempts: how many, how soon, after what, and what each of them finds.

mod attempts;
mod causes;
mod layers;
mod locks;
mod lost_connections;
mod serialization;
mod sqlite_busy;
mod waits;
