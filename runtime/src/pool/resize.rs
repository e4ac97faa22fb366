//! Another number of connections for a pool at work.

use tokio::runtime::Handle;

use super::SessionPool;
use super::acquire::closed;
use super::builder::{too_few, too_many, wrong};
use super::settings::MOST_CONNECTIONS;
use crate::backend::Backend;
use crate::error::Error;

impl<DB: Backend> SessionPool<DB> {
    /// Changes how many connections may be open at once, from the next one on.
    ///
    /// # Guarantee
    /// No session is cut: connections beyond the new maximum are closed when they are given back, idle ones at once,
    /// those first that were idle for longest. Who waits for a connection stays in line.
    ///
    /// # Errors
    /// `Programming` for 0, for less than `min_connections`, and for more than 65535; `Closed` once the pool is.
    ///
    /// # Cost
    /// Two short locks. Opens nothing, waits for nothing.
    pub fn resize(&self, max_connections: u32) -> Result<(), Error> {
        if self.is_closed() {
            return Err(closed());
        }
        let min_connections = self.settings().min_connections;
        if max_connections == 0 {
            return Err(too_few().with_help(
                "use `resize(1)` or more, or `close` where no more work shall be taken",
            ));
        }
        if max_connections > MOST_CONNECTIONS {
            return Err(too_many(max_connections));
        }
        if max_connections < min_connections {
            return Err(wrong(format!(
                "`resize({max_connections})` leaves less than the pool's `min_connections({min_connections})`"
            ))
            .with_help("ask for at least the minimum"));
        }
        let max = max_connections as usize;
        let links = &self.shared.links;
        self.shared.seats.resize(max, |room| links.resize(room));
        let mut surplus = links.status().size.saturating_sub(max);
        let idle = links.retain(|_, _| {
            let goes = surplus > 0;
            surplus = surplus.saturating_sub(1);
            !goes
        });
        // Elsewhere they are dropped, and closed without a goodbye.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                for link in idle.removed {
                    link.close().await;
                }
            });
        }
        Ok(())
    }
}
