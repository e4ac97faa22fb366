//! Every way a session ends.

mod by_hand;
mod code_comments;
mod control_statements;
mod deadlines;
mod doom;
mod drops;
mod escapes;
mod hidden;
mod leaks;
mod refusals;
mod returns;
mod rollback_only;
mod runtimes;
mod servers;
mod shutdowns;
mod stands;
mod traces;
mod unanswered;
