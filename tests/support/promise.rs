//! When a slot is to be free, and what is forgiven where the machine is late.

use std::time::Duration;

use super::PATIENCE;

/// The slot of a call that was dropped, or whose deadline has passed, serves the next user within this.
pub const PROMISED: Duration = Duration::from_secs(1);

/// How often that may be tried where nobody measures how late the machine is: one that is busy with other things is
/// late now and then, a slot that is held is so every time.
pub const TRIES: u32 = 5;

/// So many wakings follow one another until a slot is free, each of which may be as late as the latest that
/// [`Lag`](super::Lag) has seen.
const WAKINGS: u32 = 4;

/// On a machine that wakes whoever sleeps later than this nothing is shown.
pub const TOO_BUSY: Duration = Duration::from_millis(500);

/// What is forgiven where the latest waking that was seen was so late.
pub fn forgiven(lag: Duration) -> Duration {
    lag.min(TOO_BUSY) * WAKINGS
}

/// Whether the promise is kept this time; however busy the machine is, nobody waits for the statement's end.
pub fn is_kept(took: Duration) -> bool {
    assert!(took < PATIENCE, "{took:?}");
    took < PROMISED
}
