//! The control connection of an endpoint: what stops a statement whose caller has gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::alarm::{timeout, timeout_at};
use crate::backend::{Driver, Options};
use crate::error::{Ends, verdict};

/// One connection per endpoint, outside the pool's maximum: a full server refuses a fresh one just when a
/// cancel is needed, and a silent one answers none. It is opened with the first connection, and opened again when it
/// fails, or else with the next.
///
/// Lock order: the line's lock is the last one taken and is held over one bounded question.
pub(crate) struct ControlLine<DB: Driver> {
    options: Options<DB>,
    open: Mutex<Option<Open<DB>>>,
    /// What opens it beside everybody; `None` before the first has asked.
    opener: std::sync::Mutex<Option<AbortHandle>>,
    /// Each connection that it serves has one more.
    clients: Arc<()>,
    /// The pool is closed: whoever still needs the line opens it for that once.
    closed: AtomicBool,
}

/// Held with a connection on which there may be something to stop.
pub(crate) struct Client(#[expect(dead_code, reason = "it is counted")] Arc<()>);

struct Open<DB: Driver> {
    connection: DB::Connection,
    tag: DB::Tag,
}

impl<DB: Driver> ControlLine<DB> {
    pub(crate) fn new(options: Options<DB>) -> Self {
        Self {
            options,
            open: Mutex::new(None),
            opener: std::sync::Mutex::new(None),
            clients: Arc::new(()),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn options(&self) -> &Options<DB> {
        &self.options
    }

    pub(crate) fn client(&self) -> Client {
        Client(Arc::clone(&self.clients))
    }

    /// Opens the connection where it is not, beside whoever asks. The first to do so waits for it, and not for all of his
    /// time: what stands before a server may keep it waiting for good. A failure is not one: it is tried again with the
    /// next connection, and when it is needed.
    pub(crate) async fn ensure(self: &Arc<Self>, within: Duration, patience: Duration) {
        if let Some(opening) = self.start_opener(within) {
            let _ = timeout(patience, opening).await;
        }
    }

    /// What the first to ask waits for.
    fn start_opener(self: &Arc<Self>, within: Duration) -> Option<JoinHandle<()>> {
        if self.open.try_lock().is_ok_and(|slot| slot.is_some()) {
            return None;
        }
        let mut opener = self.opener();
        let is_first = opener.is_none();
        let is_at_work = opener.as_ref().is_some_and(|opener| !opener.is_finished());
        if is_at_work || self.closed.load(Ordering::Acquire) {
            return None;
        }
        let line = Arc::clone(self);
        let opening = tokio::spawn(async move { line.open(within).await });
        *opener = Some(opening.abort_handle());
        is_first.then_some(opening)
    }

    /// Without the lock while it is opened: a cancel may be needed meanwhile.
    async fn open(&self, within: Duration) {
        let until = Instant::now() + within;
        match timeout_at(until, self.open.lock()).await {
            Ok(slot) if slot.is_none() => drop(slot),
            _ => return,
        }
        if let Some(open) = self.establish(until).await
            && let Ok(mut slot) = timeout_at(until, self.open.lock()).await
            && slot.is_none()
        {
            self.take_in(&mut slot, open);
        }
    }

    /// Asks whether the connection still answers, and opens another where it does not: when it is needed the server may
    /// be full.
    pub(crate) async fn keep_alive(&self, within: Duration) {
        let until = Instant::now() + within;
        let Ok(mut slot) = timeout_at(until, self.open.lock()).await else {
            return;
        };
        if let Some(mut open) = slot.take()
            && matches!(timeout_at(until, open.connection.ping()).await, Ok(Ok(())))
        {
            return self.keep(&mut slot, open);
        }
        drop(slot);
        self.open(within).await;
    }

    /// From here on the line keeps no connection.
    pub(crate) async fn close(&self, within: Duration) {
        self.closed.store(true, Ordering::Release);
        if let Some(opener) = self.opener().as_ref() {
            opener.abort();
        }
        let until = Instant::now() + within;
        if let Ok(mut slot) = timeout_at(until, self.open.lock()).await
            && let Some(open) = slot.take()
        {
            let _ = timeout_at(until, open.connection.close()).await;
        }
    }

    /// Sends `sql`, which is aimed at the connection with this tag, and waits for its answer: first over the open
    /// connection, then over a fresh one. `false` where no answer came: then nobody knows when it will take effect, and
    /// what it is aimed at must not be used again. Nothing is sent to another server than the target's, nor to the same
    /// one after a restart: the ids there are strangers'.
    pub(crate) async fn send(&self, target: &DB::Tag, sql: &str, within: Duration) -> bool {
        let until = Instant::now() + within;
        let Ok(mut slot) = timeout_at(until, self.open.lock()).await else {
            return false;
        };
        // Taken out while it is asked: whoever gives up waiting leaves no half-read answer behind.
        if let Some(mut open) = slot.take() {
            match timeout_at(until, ask(&mut open, target, sql)).await {
                Ok(Ok(is_sent)) => {
                    self.keep(&mut slot, open);
                    return is_sent;
                }
                // The server's last words on a connection that it has ended say nothing of what was asked.
                Ok(Err(error @ sqlx::Error::Database(_)))
                    if verdict(&error).ends != Ends::Connection =>
                {
                    self.keep(&mut slot, open);
                    return false;
                }
                Ok(Err(_)) => {}
                Err(_elapsed) => return false,
            }
        }
        let Some(mut open) = self.establish(until).await else {
            return false;
        };
        let answered = DB::is_same_server(&open.tag, target)
            && matches!(
                timeout_at(
                    until,
                    DB::batch(&mut open.connection, sql.to_owned().into())
                )
                .await,
                Ok(Ok(()))
            );
        if answered {
            self.take_in(&mut slot, open);
        }
        answered
    }

    async fn establish(&self, until: Instant) -> Option<Open<DB>> {
        let open = async {
            let mut connection = DB::connect(&self.options).await.ok()?;
            let tag = DB::introduce(&mut connection).await.ok()?;
            DB::take_control(&mut connection).await.ok()?;
            Some(Open { connection, tag })
        };
        timeout_at(until, open).await.ok()?
    }

    fn opener(&self) -> std::sync::MutexGuard<'_, Option<AbortHandle>> {
        self.opener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a new connection, unless there is none that it could serve: it may stand where the only one there is room for
    /// would have to.
    fn take_in(&self, slot: &mut Option<Open<DB>>, open: Open<DB>) {
        if Arc::strong_count(&self.clients) > 1 {
            self.keep(slot, open);
        }
    }

    fn keep(&self, slot: &mut Option<Open<DB>>, open: Open<DB>) {
        if !self.closed.load(Ordering::Acquire) {
            *slot = Some(open);
        }
    }
}

/// `false` where nothing was sent: it is another server than the target's.
async fn ask<DB: Driver>(
    open: &mut Open<DB>,
    target: &DB::Tag,
    sql: &str,
) -> Result<bool, sqlx::Error> {
    if !DB::is_same_server(&open.tag, target) {
        // What tells a server by may change while it lives: MySQL draws it anew where the clock is set back.
        open.tag = DB::introduce(&mut open.connection).await?;
        if !DB::is_same_server(&open.tag, target) {
            return Ok(false);
        }
    }
    DB::batch(&mut open.connection, sql.to_owned().into()).await?;
    Ok(true)
}
