//! Every way a session ends.

mod by_hand;
mod control_statements;
mod deadlines;
mod doom;
mod drops;
mod hidden;
mod leaks;
mod refusals;
mod returns;
mod runtimes;
mod servers;
mod unanswered;
