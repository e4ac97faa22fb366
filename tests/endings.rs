//! Every way a session ends.

mod by_hand;
mod deadlines;
mod doom;
mod drops;
mod refusals;
mod returns;
mod runtimes;
mod servers;
