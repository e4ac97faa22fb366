//! A session's connection in the hands of code that knows nothing of sessions.

#[macro_use]
mod helpers;

mod acts;
mod behind_our_back;
mod deadlocks;
mod drops;
mod programs;
mod raw_commits;
mod remains;
mod round_trips;
mod sqlx_counts;
mod styles;
mod undone;
