//! Building a pool: every limit, and the errors of a wrong one.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::SessionPool;
use super::address::{self, Address};
use super::after_connect::AfterConnect;
use super::critical::{CriticalEvent, Watcher};
use super::settings::{MOST_CONNECTIONS, Settings};
use crate::backend::{Backend, BoxFuture, Options};
use crate::error::{Category, Error, Phase};
use crate::retry::RetryBudget;

/// Builds a [`SessionPool`]. Made by [`SessionPool::builder`].
///
/// Nothing is looked at before [`connect`](Self::connect) or [`connect_lazy`](Self::connect_lazy): a wrong
/// URL or a wrong number is an error of those, never a panic.
pub struct PoolBuilder<DB: Backend> {
    address: Option<Address<DB>>,
    standbys: usize,
    settings: Settings,
    after_connect: Option<AfterConnect<DB>>,
    watcher: Watcher,
    database: PhantomData<fn() -> DB>,
}

impl<DB: Backend> PoolBuilder<DB> {
    pub(super) fn new() -> Self {
        Self {
            address: None,
            standbys: 0,
            settings: Settings::default(),
            after_connect: None,
            watcher: Watcher::default(),
            database: PhantomData,
        }
    }

    fn address(mut self, address: Address<DB>) -> Self {
        self.address = Some(address);
        self
    }

    /// The server, as a URL (`postgres://user@host/database`, `mysql://…`, `sqlite://path?mode=rwc`).
    #[must_use]
    pub fn primary(self, url: impl AsRef<str>) -> Self {
        self.address(Address::Url(url.as_ref().to_owned()))
    }

    /// The server, as sqlx's connect options. Unlike those of a URL they are used as they are: on SQLite the journal
    /// mode and `synchronous` stay as given (a URL means WAL and `FULL`). Only SQLite's `busy_timeout` is the pool's
    /// own: sessions wait for locks without blocking a thread.
    #[must_use]
    pub fn primary_with(self, options: Options<DB>) -> Self {
        self.address(Address::Options(options))
    }

    /// A server to fail over to. Not available yet: `connect` answers an error that says so.
    #[must_use]
    pub fn standby(mut self, _url: impl AsRef<str>) -> Self {
        self.standbys += 1;
        self
    }

    /// The most connections that are open for sessions at once; 10 by default. One more, the control
    /// connection, is opened beside them, except on SQLite.
    ///
    /// A server counts a connection that was closed for some milliseconds longer, and the slot is free by then: a limit
    /// on the server (`CONNECTION LIMIT`, `max_user_connections`) needs room for a few more where sessions leave
    /// settings or temporary tables on theirs.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How many connections are kept open when idle; 0 by default.
    #[must_use]
    pub fn min_connections(mut self, connections: u32) -> Self {
        self.settings.min_connections = connections;
        self
    }

    /// How long a session waits for a connection, connecting included; 5 s by default. BEGIN and the batches
    /// that set savepoints may then go unanswered for as long again.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.settings.acquire_timeout = timeout;
        self
    }

    /// How long a COMMIT that was sent may go unanswered; 10 s by default. The outcome is `Unknown` then.
    #[must_use]
    pub fn commit_timeout(mut self, timeout: Duration) -> Self {
        self.settings.commit_timeout = timeout;
        self
    }

    /// How long a connection may be idle before it is closed; 10 min by default, `None` for ever.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.idle_timeout = timeout.into();
        self
    }

    /// How old a connection may grow, less up to 25 %; 30 min by default, `None` for ever.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.settings.max_lifetime = lifetime.into();
        self
    }

    /// How often an idle connection is pinged, less up to 20 %; 2 min by default, `None` for never.
    #[must_use]
    pub fn keepalive(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.keepalive = interval.into();
        self
    }

    /// A connection that was silent for longer is pinged before it is used; 500 ms by default.
    #[must_use]
    pub fn ping_after(mut self, idle: Duration) -> Self {
        self.settings.ping_after = idle;
        self
    }

    /// How many retries the calls of this pool may make while little succeeds: 500 tokens and 14 a retry by default,
    /// see [`RetryBudget`]. Conflicts cost nothing.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.settings.retry_budget = budget;
        self
    }

    /// Whether a transaction on PostgreSQL carries `application_name = '<operation>#<session id>'`, so that
    /// `pg_stat_activity` shows which function holds what; it does by default. It travels with BEGIN.
    #[must_use]
    pub fn application_name(mut self, shown: bool) -> Self {
        self.settings.application_name = shown;
        self
    }

    /// Calls `watch` when somebody should look: see [`CriticalEvent`]. It is called where the event happens, so it must
    /// not block; one that panics harms nothing. The same is logged as an error (target `steadfast::critical`).
    #[must_use]
    pub fn on_critical<F>(mut self, watch: F) -> Self
    where
        F: Fn(CriticalEvent) + Send + Sync + 'static,
    {
        self.watcher = Watcher::new(watch);
        self
    }

    /// Runs on each new connection before its first session, within the acquire timeout. An error fails the
    /// connection, and the session that waits for it; so does a transaction that is left open. It runs again on one that
    /// somebody has had to himself, if that was set back. What it sets stands from then on, but for `autocommit` and
    /// `completion_type` of MySQL and `client_connection_check_interval` of PostgreSQL. It must not put another
    /// connection in the place of the one that it is given. Given up on, it is ended on its server; on SQLite a
    /// statement of its runs to its end. Beside its own it costs two round trips each time (SQLite: none).
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example() -> Result<(), steadfast::Error> {
    /// use steadfast::PgSessionPool;
    ///
    /// let pool = PgSessionPool::builder()
    ///     .primary("postgres://app@localhost/app")
    ///     .after_connect(|connection| {
    ///         Box::pin(async move {
    ///             sqlx::query("SET search_path = app").execute(connection).await?;
    ///             Ok(())
    ///         })
    ///     })
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn after_connect<F>(mut self, prepare: F) -> Self
    where
        F: for<'c> Fn(&'c mut DB::Connection) -> BoxFuture<'c, Result<(), sqlx::Error>>
            + Send
            + Sync
            + 'static,
    {
        self.after_connect = Some(AfterConnect::new(prepare));
        self
    }

    /// Makes the pool and proves one connection.
    ///
    /// # Errors
    /// A wrong URL or limit, a refused password or a missing database at once; a server that cannot be
    /// reached or is full after the acquire timeout, in which connecting is tried again.
    ///
    /// # Cancellation
    /// Dropped, it leaves no connection behind.
    pub async fn connect(self) -> Result<SessionPool<DB>, Error> {
        let pool = self.connect_lazy()?;
        pool.prove().await?;
        Ok(pool)
    }

    /// Makes the pool; the first session opens the first connection. Sends nothing, and may be called outside of
    /// a runtime.
    ///
    /// # Errors
    /// A wrong URL or limit.
    pub fn connect_lazy(self) -> Result<SessionPool<DB>, Error> {
        self.check()?;
        let Some(address) = self.address else {
            return Err(
                wrong("a pool needs a server").with_help("call `primary(url)` before `connect`")
            );
        };
        let options = match address {
            Address::Url(url) => address::parse::<DB>(&url)?,
            Address::Options(options) => DB::shared(options),
        };
        let options = address::quiet(options);
        Ok(SessionPool::open(
            options,
            self.settings.within_reach(),
            self.after_connect,
            self.watcher,
        ))
    }

    fn check(&self) -> Result<(), Error> {
        let Settings {
            max_connections,
            min_connections,
            acquire_timeout,
            commit_timeout,
            ..
        } = self.settings;
        if self.standbys > 0 {
            return Err(wrong("`standby` is not available yet")
                .with_help("remove it, and name one server as `primary`"));
        }
        if max_connections == 0 {
            return Err(too_few().with_help("use `max_connections(1)` or more"));
        }
        if max_connections > MOST_CONNECTIONS {
            return Err(too_many(max_connections));
        }
        if min_connections > max_connections {
            return Err(wrong(format!(
                "`min_connections({min_connections})` is more than `max_connections({max_connections})`"
            ))
            .with_help("lower the one or raise the other"));
        }
        if acquire_timeout.is_zero() {
            return Err(wrong("an acquire timeout of 0 leaves no time to connect")
                .with_help("use `acquire_timeout(Duration::from_secs(5))`"));
        }
        if commit_timeout.is_zero() {
            return Err(
                wrong("a commit timeout of 0 leaves no time to hear of a commit")
                    .with_help("use `commit_timeout(Duration::from_secs(10))`"),
            );
        }
        Ok(())
    }
}

impl<DB: Backend> fmt::Debug for PoolBuilder<DB> {
    /// Limits only: the address may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PoolBuilder")
            .field("database", &DB::NAME)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

pub(super) fn too_few() -> Error {
    wrong("a pool of 0 connections can serve nobody")
}

pub(super) fn too_many(connections: u32) -> Error {
    wrong(format!(
        "a pool of {connections} connections is beyond what any server takes"
    ))
    .with_help("ask for 65535 or less; a few for each core of the server are most often best")
}

pub(super) fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Category::Programming, Phase::Acquire, message)
}
