//! The control connection of an endpoint: what stops a statement whose caller has gone.

use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::backend::{Driver, Options};

/// One connection per endpoint, outside the pool's maximum: a full server refuses a fresh one just when a
/// cancel is needed. It is opened with the first lease and opened again when it fails.
///
/// Lock order: the line's lock is the last one taken and is held over one bounded question.
pub(crate) struct ControlLine<DB: Driver> {
    options: Options<DB>,
    connection: Mutex<Option<DB::Connection>>,
}

impl<DB: Driver> ControlLine<DB> {
    pub(crate) fn new(options: Options<DB>) -> Self {
        Self {
            options,
            connection: Mutex::new(None),
        }
    }

    pub(crate) fn options(&self) -> &Options<DB> {
        &self.options
    }

    /// Opens the connection where it is not. A failure is not one: it is tried again when it is needed.
    pub(crate) async fn open(&self, within: Duration) {
        let until = Instant::now() + within;
        if let Ok(mut slot) = timeout_at(until, self.connection.lock()).await
            && slot.is_none()
            && let Ok(Ok((connection, _))) = timeout_at(until, DB::establish(&self.options)).await
        {
            *slot = Some(connection);
        }
    }

    /// Asks whether the connection still answers and drops it where it does not.
    pub(crate) async fn keep_alive(&self, within: Duration) {
        let until = Instant::now() + within;
        let Ok(mut slot) = timeout_at(until, self.connection.lock()).await else {
            return;
        };
        if let Some(mut connection) = slot.take()
            && matches!(timeout_at(until, connection.ping()).await, Ok(Ok(())))
        {
            *slot = Some(connection);
        }
    }

    pub(crate) async fn close(&self, within: Duration) {
        let until = Instant::now() + within;
        if let Ok(mut slot) = timeout_at(until, self.connection.lock()).await
            && let Some(connection) = slot.take()
        {
            let _ = timeout_at(until, connection.close()).await;
        }
    }

    /// Sends `sql` and waits for its answer: first over the open connection, then over a fresh one. `false`
    /// where no answer came: then nobody knows when it will take effect, and what it is aimed at must not be
    /// used again.
    pub(crate) async fn send(&self, sql: &str, within: Duration) -> bool {
        let until = Instant::now() + within;
        let Ok(mut slot) = timeout_at(until, self.connection.lock()).await else {
            return false;
        };
        // Taken out while it is asked: whoever gives up waiting leaves no half-read answer behind.
        if let Some(mut connection) = slot.take() {
            match timeout_at(until, DB::batch(&mut connection, sql.to_owned().into())).await {
                Ok(Ok(())) => {
                    *slot = Some(connection);
                    return true;
                }
                Ok(Err(sqlx::Error::Database(_))) => {
                    *slot = Some(connection);
                    return false;
                }
                Ok(Err(_)) => {}
                Err(_elapsed) => return false,
            }
        }
        let Ok(Ok((mut connection, _))) = timeout_at(until, DB::establish(&self.options)).await
        else {
            return false;
        };
        let answer = timeout_at(until, DB::batch(&mut connection, sql.to_owned().into())).await;
        if matches!(answer, Ok(Ok(()))) {
            *slot = Some(connection);
            return true;
        }
        false
    }
}
