//! The pool: proven connections, handed to one session at a time.

mod acquire;
mod address;
mod after_connect;
mod builder;
mod close;
mod critical;
mod custody;
mod executor;
mod from_sqlx;
mod gate;
mod home;
mod hooks;
mod lease;
mod ledger;
mod loan;
mod maintenance;
#[cfg(feature = "migrate")]
mod migrate;
mod registry;
mod resize;
mod seats;
#[cfg(test)]
mod seats_tests;
mod settings;
mod stats;
mod steps;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use deadpool::Runtime;
use deadpool::managed::{Pool, PoolConfig, QueueMode, Timeouts};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::backend::{Backend, Options};
use crate::error::Error;
use crate::retry::Budget;
use crate::shield::ControlLine;
pub(crate) use acquire::closed;
use after_connect::AfterConnect;
pub use builder::PoolBuilder;
pub use close::CloseReport;
pub use critical::CriticalEvent;
use critical::Watcher;
pub(crate) use custody::{Custody, timed_out};
pub use hooks::HookOutput;
pub(crate) use hooks::{Hook, Task};
pub use lease::Lease;
use loan::Connector;
pub(crate) use registry::Entry;
use registry::Registry;
pub use registry::{SessionInfo, SessionStage};
use seats::Seats;
pub(crate) use settings::LONGEST;
use settings::Settings;
pub use stats::PoolStats;
use stats::Tally;
pub(crate) use steps::{Slot, Steps};

/// A pool of connections for sessions. Cheap to clone: all clones are the same pool.
///
/// # Guarantee
/// A connection serves one session at a time, and comes back only when it is proven that no transaction is
/// open on it. Whatever happens to a session's owner, its slot is free within a second.
///
/// `&pool` is also a sqlx executor: `query.fetch_all(&pool)` runs one statement, which the database commits
/// by itself. One that fails is undone, and its error is the driver's own. Where that is not certain (no answer came;
/// a `CALL` failed half-way, or a text of several statements on MySQL and SQLite, which commit each by itself) the
/// error is one of ours with outcome [`Unknown`](crate::Outcome::Unknown), which is never retried.
///
/// On SQLite a statement that writes queues with the write sessions of the process, and one that is refused because
/// somebody else holds the lock is run again for 5 s, as long as it has answered nothing.
///
/// # Cost
/// Taking a connection that served a session within the last 500 ms costs no round trip; giving one back
/// costs none. On servers one more connection, the control connection, is open beside the pool's maximum.
///
/// # Errors
/// Of waiting for a connection: `Capacity` where none became free in the acquire timeout, `Connection` where the
/// server could not be reached in it, `Access` at once where it refused the password, `Closed` once
/// [`close`](Self::close) was called.
///
/// # Cancellation
/// Dropping a future that waits for a connection gives up its place and nothing else. A session that is dropped
/// is ended on the runtime on which its connection was opened: where that has shut down the connection is
/// closed, and while a current-thread runtime lives but is not driven, the slot stays taken.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example() -> Result<(), steadfast::Error> {
/// use steadfast::SessionPool;
///
/// let pool = SessionPool::<sqlx::Postgres>::connect("postgres://app@localhost/app").await?;
/// let (one,): (i32,) = sqlx::query_as("SELECT 1").fetch_one(&pool).await?;
/// # Ok(()) }
/// ```
pub struct SessionPool<DB: Backend> {
    pub(crate) shared: Arc<Shared<DB>>,
}

pub(crate) struct Shared<DB: Backend> {
    pub(crate) links: Pool<Connector<DB>>,
    /// Who may have one of them.
    pub(crate) seats: Arc<Seats>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) tally: Tally,
    /// Where the database has one writer at a time: its queue in this process.
    gate: Option<Arc<Semaphore>>,
    /// Wakes those who wait at the gate, which is not this pool's alone.
    closing: Notify,
    maintenance: Mutex<Option<AbortHandle>>,
    /// Its sessions leave tokens in the ledger.
    verifies: AtomicBool,
    watcher: Watcher,
    budget: Arc<Budget>,
}

impl<DB: Backend> SessionPool<DB> {
    /// A pool with the defaults, with one connection proven.
    ///
    /// # Errors
    /// As [`PoolBuilder::connect`].
    ///
    /// # Cancellation
    /// Dropped, it leaves no connection behind.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder().primary(url).connect().await
    }

    /// A pool with the defaults, which opens its first connection with its first session. Nothing is sent, so
    /// a server that cannot be reached is an error of that session.
    ///
    /// # Errors
    /// A wrong URL.
    pub fn connect_lazy(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder().primary(url).connect_lazy()
    }

    /// Sets the limits of a pool before it connects.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example() -> Result<(), steadfast::Error> {
    /// use std::time::Duration;
    /// use steadfast::PgSessionPool;
    ///
    /// let pool = PgSessionPool::builder()
    ///     .primary("postgres://app@localhost/app")
    ///     .max_connections(20)
    ///     .acquire_timeout(Duration::from_secs(2))
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn builder() -> PoolBuilder<DB> {
        PoolBuilder::new()
    }

    fn open(
        options: Options<DB>,
        settings: Settings,
        after_connect: Option<AfterConnect<DB>>,
        watcher: Watcher,
    ) -> Self {
        let gate = DB::write_gate(&options).map(gate::of);
        let connector = Connector {
            line: Arc::new(ControlLine::new(options)),
            settings,
            after_connect,
            anchor: tokio::sync::Mutex::default(),
            opened: 0.into(),
            pinged: 0.into(),
            silent: Mutex::default(),
        };
        let max = settings.max_connections as usize;
        let links = Pool::builder(connector)
            .config(PoolConfig {
                max_size: max,
                timeouts: Timeouts::new(),
                // In FIFO ten gently used connections need a ping each; in LIFO the hot one serves.
                queue_mode: QueueMode::Lifo,
            })
            .runtime(Runtime::Tokio1)
            .build()
            .unwrap_or_else(|_| unreachable!("a runtime is all that building needs"));
        Self {
            shared: Arc::new(Shared {
                links,
                seats: Seats::new(max),
                registry: Arc::default(),
                tally: Tally::default(),
                gate,
                closing: Notify::new(),
                maintenance: Mutex::default(),
                verifies: AtomicBool::new(false),
                watcher,
                budget: Arc::new(Budget::new(settings.retry_budget)),
            }),
        }
    }

    /// Opens one connection, or says why not.
    async fn prove(&self) -> Result<(), Error> {
        let until = Instant::now() + self.settings().acquire_timeout;
        self.loan(None, until).await.map(drop)
    }

    pub(crate) fn settings(&self) -> Settings {
        self.shared.links.manager().settings
    }

    pub(crate) fn retry_budget(&self) -> Arc<Budget> {
        Arc::clone(&self.shared.budget)
    }

    /// The pool in figures, of this moment. Takes two short locks, waits for nothing.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        use std::sync::atomic::Ordering::Relaxed;

        let status = self.shared.links.status();
        let connector = self.shared.links.manager();
        PoolStats {
            max: if self.is_closed() {
                0
            } else {
                self.shared.seats.max()
            },
            size: status.size,
            idle: status.available,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting + self.shared.seats.waiting(),
            reaping: self.shared.tally.reaping(),
            opened: connector.opened.load(Relaxed),
            pinged: connector.pinged.load(Relaxed),
            reaped: self.shared.tally.reaped(),
        }
    }

    /// The sessions, and leases by hand (`steadfast::acquire`), that hold a connection or wait for one, in the order of
    /// their ids. A session has left this list before its call answers, unless a deadline or an unanswered COMMIT made
    /// the call answer first; such a one, and one whose owner was dropped, is listed until the reaper has ended it.
    ///
    /// # Cost
    /// One lock for as long as the list is copied.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.shared.registry.sessions()
    }
}

#[cfg(feature = "sqlite")]
impl SessionPool<sqlx::Sqlite> {
    /// A database in memory, for tests and first steps: empty, under a name of its own, shared by the
    /// connections of this pool and gone with it.
    ///
    /// It waits for locks as a file does (SQLite's `memdb`), which a shared cache does not. There is no WAL: readers
    /// wait for the session that writes.
    ///
    /// # Cost
    /// One more connection beside the pool's maximum, which keeps the database alive.
    ///
    /// # Errors
    /// When SQLite cannot be opened.
    pub async fn in_memory() -> Result<Self, Error> {
        Self::connect("sqlite::memory:").await
    }
}

impl<DB: Backend> Clone for SessionPool<DB> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<DB: Backend> fmt::Debug for SessionPool<DB> {
    /// Figures only: connect options hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        formatter
            .debug_struct("SessionPool")
            .field("database", &DB::NAME)
            .field("max", &stats.max)
            .field("size", &stats.size)
            .field("idle", &stats.idle)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> Drop for Shared<DB> {
    fn drop(&mut self) {
        self.end_maintenance();
    }
}
