//! The numbers of a pool, each with its source.

use std::time::Duration;

use crate::retry::RetryBudget;

/// How long a write session waits for SQLite's lock, the queue of this process included.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller whose deadline has passed still waits for the proof of its rollback, or for the answer
/// of a COMMIT that was sent before.
pub(crate) const AFTER_DEADLINE: Duration = Duration::from_millis(100);

/// How long a caller without a deadline waits for the hooks of its session.
pub(crate) const HOOKS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller without a deadline waits for the ledger where its COMMIT had no answer.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often old tokens are deleted.
pub(crate) const TOKENS_FORGOTTEN: Duration = Duration::from_hours(1);

/// How long a ping of a connection taken from the pool may take before the connection is replaced.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection that is closed may take to say goodbye.
pub(crate) const FAREWELL: Duration = Duration::from_millis(200);

/// How long `close` waits for sessions.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a longer limit is cut to: a clock cannot count up to just any instant.
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 365 * 30);

/// More than that cannot come from one address to one server.
pub(crate) const MOST_CONNECTIONS: u32 = 65_535;

/// A pool's limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// 10, as in sqlx and HikariCP.
    pub(crate) max_connections: u32,
    /// 0, as in sqlx.
    pub(crate) min_connections: u32,
    /// 5 s: the usual 30 s hide overload.
    pub(crate) acquire_timeout: Duration,
    /// 10 s: without an answer by then the outcome is `Unknown`.
    pub(crate) commit_timeout: Duration,
    /// 10 min, as in sqlx and HikariCP.
    pub(crate) idle_timeout: Option<Duration>,
    /// 30 min as in HikariCP, less up to a quarter, so that not all connections die in one second.
    pub(crate) max_lifetime: Option<Duration>,
    /// 2 min as in HikariCP, less up to a fifth.
    pub(crate) keepalive: Option<Duration>,
    /// 500 ms as in HikariCP: a connection that answered just now is not asked again.
    pub(crate) ping_after: Duration,
    /// 500 tokens, 14 a retry.
    pub(crate) retry_budget: RetryBudget,
    /// Whether PostgreSQL is told who holds a connection: 2 to 3 % of a small transaction.
    pub(crate) application_name: bool,
}

impl Settings {
    /// The same with every limit within what a clock can count.
    pub(crate) fn within_reach(self) -> Self {
        let cut = |limit: Duration| limit.min(LONGEST);
        Self {
            acquire_timeout: cut(self.acquire_timeout),
            commit_timeout: cut(self.commit_timeout),
            idle_timeout: self.idle_timeout.map(cut),
            max_lifetime: self.max_lifetime.map(cut),
            keepalive: self.keepalive.map(cut),
            ping_after: cut(self.ping_after),
            ..self
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 10,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(5),
            commit_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_mins(10)),
            max_lifetime: Some(Duration::from_mins(30)),
            keepalive: Some(Duration::from_mins(2)),
            ping_after: Duration::from_millis(500),
            retry_budget: RetryBudget::default(),
            application_name: true,
        }
    }
}

/// `whole` less a random part of up to `share` of it.
pub(crate) fn jittered(whole: Duration, share: f64) -> Duration {
    whole.mul_f64(1.0 - share * fastrand::f64())
}
