//! What a pool does when nobody asks: idle connections are closed or kept alive.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use deadpool::managed::Timeouts;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::loan::put_back;
use super::settings::{PING_TIMEOUT, Settings, TOKENS_FORGOTTEN, jittered};
use super::{SessionPool, Shared};
use crate::backend::Backend;
use crate::ledger::TOKENS_KEPT;

impl<DB: Backend> Shared<DB> {
    /// Starts the pool's one task where it does not run, on the runtime of the session that asks.
    pub(super) fn keep_maintained(self: &Arc<Self>) {
        let mut maintenance = self.maintenance();
        // A pool may outlive the runtime of its first session.
        if maintenance.as_ref().is_none_or(AbortHandle::is_finished) && !self.links.is_closed() {
            let settings = self.links.manager().settings;
            let task = tokio::spawn(maintain(Arc::downgrade(self), settings));
            *maintenance = Some(task.abort_handle());
        }
    }

    fn maintenance(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end_maintenance(&self) {
        if let Some(task) = self.maintenance().take() {
            task.abort();
        }
    }
}

/// Ends by itself with the last handle of the pool.
async fn maintain<DB: Backend>(pool: Weak<Shared<DB>>, settings: Settings) {
    let tick = tick(&settings);
    let mut pause = Duration::ZERO;
    let mut tokens_forgotten = Instant::now();
    loop {
        sleep(pause).await;
        pause = jittered(tick, 0.2);
        let Some(shared) = pool.upgrade() else { return };
        if shared.links.is_closed() {
            return;
        }
        retire(&shared, &settings).await;
        keep_alive(&shared, &settings).await;
        refill(&shared, &settings).await;
        if shared.verifies.load(Ordering::Relaxed) && tokens_forgotten.elapsed() > TOKENS_FORGOTTEN
        {
            tokens_forgotten = Instant::now();
            if let Err(error) = (SessionPool { shared }).forget_tokens(TOKENS_KEPT).await {
                let (category, code) = (error.category().as_str(), error.code());
                tracing::warn!(
                    category,
                    code,
                    "old tokens could not be deleted from the ledger"
                );
                tracing::debug!(%error, "why they could not");
            }
        }
    }
}

fn tick(settings: &Settings) -> Duration {
    let shortest = [
        settings.idle_timeout,
        settings.keepalive,
        settings.max_lifetime,
    ]
    .into_iter()
    .flatten()
    .min()
    .unwrap_or(Duration::from_mins(1));
    (shortest / 4).clamp(Duration::from_millis(100), Duration::from_secs(30))
}

/// Closes what is past its lifetime, and what was idle for too long beyond the minimum. The tail is
/// the longest idle: sessions take the connection that was used last.
async fn retire<DB: Backend>(shared: &Shared<DB>, settings: &Settings) {
    let now = Instant::now();
    let mut surplus = shared
        .links
        .status()
        .size
        .saturating_sub(settings.min_connections as usize);
    let retired = shared.links.retain(|link, _| {
        let idle_too_long = settings
            .idle_timeout
            .is_some_and(|timeout| now.duration_since(link.idle_since()) > timeout);
        if link.is_expired(now) {
            surplus = surplus.saturating_sub(1);
            return false;
        }
        if idle_too_long && surplus > 0 {
            surplus -= 1;
            return false;
        }
        true
    });
    for link in retired.removed {
        link.close().await;
    }
}

/// Pings idle connections that were silent for long, and the control connection.
async fn keep_alive<DB: Backend>(shared: &Shared<DB>, settings: &Settings) {
    let Some(keepalive) = settings.keepalive else {
        return;
    };
    let now = Instant::now();
    let mut silent = false;
    // `retain` is deadpool's way to look at idle objects; nothing is removed here.
    shared.links.retain(|link, _| {
        silent |= now
            .checked_sub(jittered(keepalive, 0.2))
            .is_some_and(|limit| link.ping_if_silent_since(limit));
        true
    });
    if !silent {
        return;
    }
    // Taking all idle connections reaches the tail; those found silent are pinged on their way out.
    let at_once = Timeouts {
        wait: Some(Duration::ZERO),
        create: Some(Duration::ZERO),
        recycle: Some(PING_TIMEOUT),
    };
    let idle = shared.links.status().available;
    let mut taken = Vec::with_capacity(idle);
    for _ in 0..idle {
        let Some(seat) = shared.seats.try_take() else {
            break;
        };
        match shared.links.timeout_get(&at_once).await {
            Ok(link) => taken.push((link, seat)),
            Err(_) => break,
        }
    }
    // Back in the order in which they were.
    while let Some((link, seat)) = taken.pop() {
        put_back(link, seat);
    }
    shared.links.manager().line.keep_alive(PING_TIMEOUT).await;
}

/// Opens connections up to the minimum.
async fn refill<DB: Backend>(shared: &Shared<DB>, settings: &Settings) {
    let timeouts = Timeouts {
        wait: Some(Duration::ZERO),
        create: Some(settings.acquire_timeout),
        recycle: Some(PING_TIMEOUT),
    };
    // Held until the end: an idle connection that is taken makes room for none, and must not be taken twice.
    let mut taken = Vec::new();
    while shared.links.status().size < settings.min_connections as usize {
        let Some(seat) = shared.seats.try_take() else {
            break;
        };
        match shared.links.timeout_get(&timeouts).await {
            Ok(link) => taken.push((link, seat)),
            Err(_) => break,
        }
    }
    for (link, seat) in taken {
        put_back(link, seat);
    }
}
