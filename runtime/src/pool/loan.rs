//! A connection on loan from the pool.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use sqlx::Connection as _;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::timeout;

use super::after_connect::{AfterConnect, Unattended};
use super::home::Home;
use super::seats::Seat;
use super::settings::{FAREWELL, PING_TIMEOUT, Settings, jittered};
use crate::backend::{Backend, BoxFuture, Driver};
use crate::shield::{Carrier, ControlLine, Wire};

/// One connection of the pool, in use or idle.
pub(crate) struct Link<DB: Driver> {
    wire: Wire<DB>,
    after_connect: Option<AfterConnect<DB>>,
    home: Home,
    expires: Option<Instant>,
    /// When it was last in a session.
    used: Instant,
    /// When its server last answered.
    heard: Instant,
    /// The keepalive has found it silent for too long.
    due: AtomicBool,
}

impl<DB: Driver> Link<DB> {
    pub(crate) fn idle_since(&self) -> Instant {
        self.used
    }

    /// Has it pinged when it is next taken out, where its server was last heard before this time.
    pub(crate) fn ping_if_silent_since(&self, heard: Instant) -> bool {
        let is_silent = self.heard < heard;
        self.due.fetch_or(is_silent, Ordering::Relaxed);
        is_silent
    }

    /// Closes an idle connection as its server expects, where that answers soon.
    pub(crate) async fn close(self) {
        let _ = timeout(FAREWELL, self.wire.connection.close()).await;
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Opens connections and decides whether one may be used again; what deadpool calls a manager.
pub(crate) struct Connector<DB: Driver> {
    pub(crate) line: Arc<ControlLine<DB>>,
    pub(crate) settings: Settings,
    pub(crate) after_connect: Option<AfterConnect<DB>>,
    /// Keeps a database alive that lives as long as one connection to it does.
    pub(crate) anchor: Mutex<Option<DB::Connection>>,
    pub(crate) opened: AtomicU64,
    pub(crate) pinged: AtomicU64,
    /// When a server last left a ping unanswered. What was idle then is probably as dead, and asking one after another
    /// would take a second each.
    pub(crate) silent: std::sync::Mutex<Option<Instant>>,
}

impl<DB: Driver> Connector<DB> {
    /// What a connection that we have begun to open then is known by, once the user has prepared it.
    async fn introduced(
        &self,
        connection: &mut DB::Connection,
        began: Instant,
    ) -> Result<DB::Tag, sqlx::Error> {
        let Some(after_connect) = &self.after_connect else {
            let tag = DB::introduce(connection).await?;
            self.open_line(&tag, began).await;
            return Ok(tag);
        };
        if !DB::INTRODUCES_FIRST {
            after_connect.run(connection).await?;
            return DB::introduce(connection).await;
        }
        let mut tag = DB::introduce(connection).await?;
        // Ahead of it: whoever is given up on must be ended, and the server may be full then, or far away.
        self.open_line(&tag, began).await;
        let unattended = Unattended::watch(&self.line, &tag);
        // Behind any error it may have given up a statement of its own.
        after_connect.run(connection).await?;
        unattended.end();
        DB::learn(connection, &mut tag).await?;
        Ok(tag)
    }

    /// Opens the line over which what runs on such connections is stopped.
    async fn open_line(&self, tag: &DB::Tag, began: Instant) {
        if DB::cancel(tag).is_some() {
            let within = self.settings.acquire_timeout;
            let patience = within.saturating_sub(began.elapsed()) / 2;
            self.line.ensure(within, patience).await;
        }
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> Manager for Connector<DB> {
    /// Boxed, because a loan moves with every control statement.
    type Type = Box<Link<DB>>;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Box<Link<DB>>, sqlx::Error> {
        if DB::lives_in_memory(self.line.options()) {
            let mut anchor = self.anchor.lock().await;
            if anchor.is_none() {
                *anchor = Some(DB::connect(self.line.options()).await?);
            }
        }
        let began = Instant::now();
        let mut connection = DB::connect(self.line.options()).await?;
        let _client = self.line.client();
        let tag = self.introduced(&mut connection, began).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        Ok(Box::new(Link {
            wire: Wire::new(connection, tag, Arc::clone(&self.line)),
            after_connect: self.after_connect.clone(),
            home: Home::here(),
            expires: self
                .settings
                .max_lifetime
                .map(|lifetime| now + jittered(lifetime, 0.25)),
            used: now,
            heard: now,
            due: AtomicBool::new(false),
        }))
    }

    async fn recycle(&self, link: &mut Box<Link<DB>>, _: &Metrics) -> RecycleResult<sqlx::Error> {
        let now = Instant::now();
        // The second line: such a wire never comes back, its loan takes it out.
        if !link.wire.may_go_back() {
            return Err(RecycleError::message("the connection is not proven clean"));
        }
        // Its socket answers for as long as nobody has to wait for it: BEGIN may pass, and COMMIT not.
        if link.home.has_shut_down() {
            return Err(RecycleError::message(
                "the connection's runtime has shut down",
            ));
        }
        if link.is_expired(now) {
            return Err(RecycleError::message(
                "the connection has reached its lifetime",
            ));
        }
        if self.silent().is_some_and(|silent| link.heard < silent) {
            return Err(RecycleError::message(
                "the connection was not heard of since its server left a ping unanswered",
            ));
        }
        let is_due = std::mem::take(link.due.get_mut());
        if is_due || now.duration_since(link.heard) > self.settings.ping_after {
            self.pinged.fetch_add(1, Ordering::Relaxed);
            // Dropped half-way, the ping leaves the link to deadpool, which closes it.
            match timeout(PING_TIMEOUT, link.wire.connection.ping()).await {
                Ok(result) => result?,
                Err(_elapsed) => {
                    *self.silent() = Some(now);
                    return Err(RecycleError::message("the server did not answer a ping"));
                }
            }
            link.heard = Instant::now();
        }
        Ok(())
    }
}

/// Gives a connection back as it is, or closes it where the pool has become too small for it. The seat is free last:
/// whoever takes it next finds the connection, and need not open another.
pub(super) fn put_back<DB: Backend>(link: Object<Connector<DB>>, mut seat: Seat) {
    if seat.is_surplus() {
        drop(Object::take(link));
    } else {
        drop(link);
    }
    drop(seat);
}

/// A connection out of the pool. Dropped with a wire that may go back it does, otherwise it is closed; either
/// way its slot is free at once.
pub(crate) struct Loan<DB: Backend> {
    link: Option<Object<Connector<DB>>>,
    seat: Option<Seat>,
    /// The turn of this session among the writers of its database, where the database has one at a time.
    turn: Option<OwnedSemaphorePermit>,
}

impl<DB: Backend> Loan<DB> {
    pub(crate) fn new(
        link: Object<Connector<DB>>,
        seat: Seat,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            link: Some(link),
            seat: Some(seat),
            turn,
        }
    }

    /// Lets the next writer of this process go, if this session has kept it waiting.
    pub(crate) fn end_turn(&mut self) {
        drop(self.turn.take());
    }

    pub(crate) fn runtime(&self) -> Option<Handle> {
        self.link.as_ref().map(|link| link.home.runtime())
    }

    /// Whether the connection was idle in the pool, so that its server may have gone since.
    pub(crate) fn was_idle(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| Object::metrics(link).recycle_count > 0)
    }
}

impl<DB: Backend> Carrier<DB> for Loan<DB> {
    fn wire(&mut self) -> &mut Wire<DB> {
        match &mut self.link {
            Some(link) => &mut link.wire,
            None => unreachable!("a loan holds its connection until it is dropped"),
        }
    }

    fn connection(&self) -> &DB::Connection {
        match &self.link {
            Some(link) => &link.wire.connection,
            None => unreachable!("a loan holds its connection until it is dropped"),
        }
    }

    fn prepare(&mut self) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
        Box::pin(async move {
            let Some(Link {
                wire,
                after_connect: Some(after_connect),
                ..
            }) = self.link.as_deref_mut().map(Box::as_mut)
            else {
                return Ok(false);
            };
            after_connect.run(&mut wire.connection).await?;
            Ok(true)
        })
    }
}

impl<DB: Backend> Drop for Loan<DB> {
    fn drop(&mut self) {
        if let (Some(mut link), Some(seat)) = (self.link.take(), self.seat.take()) {
            if link.wire.may_go_back() {
                link.used = Instant::now();
                link.heard = link.used;
                put_back(link, seat);
            } else {
                let is_quiet = link.wire.is_proven();
                if !is_quiet {
                    // A thread that works for nobody would keep the database's lock until it is done.
                    DB::interrupt(&link.wire.tag);
                }
                let (runtime, link) = (link.home.runtime(), Object::take(link));
                if is_quiet {
                    tracing::debug!(
                        "a connection is closed: a statement has left settings, temporary tables or locks on it"
                    );
                    // A server counts who goes without a word.
                    drop(runtime.spawn(link.close()));
                }
                drop(seat);
            }
        }
        // Only now: whoever writes next finds the transaction ended.
        drop(self.turn.take());
    }
}
