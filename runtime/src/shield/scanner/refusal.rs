//! What was refused, and the way to what its author wanted.

use std::fmt;

/// What the author of a refused statement wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    TwoPhase,
    /// Commits by itself, and does nothing to a connection that is in no transaction.
    Implicit,
    Lock,
    Autocommit,
    ReadOnly,
    Wait,
    /// The server speaks on the connection whenever it has something to say.
    Listen,
    /// The data goes over the connection as well.
    Copy,
}

/// A statement that was not sent. The session that met it stays healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) keyword: &'static str,
    /// What to do instead.
    pub(crate) help: &'static str,
}

impl Refusal {
    pub(super) fn new(keyword: &'static str, way: Way, in_transaction: bool) -> Self {
        let help = match way {
            Way::TwoPhase => {
                "a session cannot take part in a two-phase commit; use a connection of your own for it"
            }
            Way::Lock => {
                "it would lock tables beyond the transaction; lock rows with `SELECT … FOR UPDATE`"
            }
            Way::Autocommit => {
                "the connection is shared; run a single statement on the pool itself to have it committed at once"
            }
            Way::ReadOnly => {
                "whether a session may write is its own to say; declare the function `read_only`"
            }
            Way::Wait => "waits for locks are the session's own; set how long with `lock_timeout`",
            Way::Listen => {
                "what it hears would come between the answers of other statements; use sqlx's `PgListener`, which has a \
                 connection of its own"
            }
            Way::Copy => {
                "a statement cannot carry its data; use sqlx's `copy_in_raw` or `copy_out_raw` on a connection of \
                 `session.raw()` or `pool.acquire()`"
            }
            _ if !in_transaction => {
                "the pool runs single statements; begin a session with `#[with_session]` or `pool.begin()`"
            }
            Way::Begin => {
                "the session is a transaction already; use `savepoint` for a part that may fail alone"
            }
            Way::Commit => {
                "the session commits when its function returns `Ok`, or by `session.commit()` after `pool.begin()`"
            }
            Way::Rollback => {
                "return an `Err`, or call `set_rollback_only`, to roll the session back"
            }
            Way::Savepoint => {
                "use `savepoint`, or call another annotated function with this session"
            }
            Way::Implicit => {
                "it would commit the transaction; run it on the pool itself, or as a migration (`migrate`)"
            }
        };
        Self { keyword, help }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was not sent: {}", self.keyword, self.help)
    }
}
