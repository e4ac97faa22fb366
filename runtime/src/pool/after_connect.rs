//! What the user has run on each new connection.

use std::sync::Arc;

use sqlx::{Connection as _, SqlSafeStr as _};
use tokio::runtime::Handle;

use crate::backend::{BoxFuture, Driver};
use crate::shield::{ControlLine, terminate};

type Prepare<DB> = dyn for<'c> Fn(&'c mut <DB as sqlx::Database>::Connection) -> BoxFuture<'c, Result<(), sqlx::Error>>
    + Send
    + Sync;

pub(crate) struct AfterConnect<DB: Driver>(Arc<Prepare<DB>>);

impl<DB: Driver> Clone for AfterConnect<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Driver> AfterConnect<DB> {
    pub(super) fn new<F>(prepare: F) -> Self
    where
        F: for<'c> Fn(&'c mut DB::Connection) -> BoxFuture<'c, Result<(), sqlx::Error>>
            + Send
            + Sync
            + 'static,
    {
        Self(Arc::new(prepare))
    }

    /// A transaction that it leaves open would take in what the next user is told to be committed: an error.
    pub(super) async fn run(&self, connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
        (self.0)(connection).await?;
        // sqlx refuses a BEGIN of one's own that begins nothing.
        match connection.begin_with("SELECT 1".into_sql_str()).await {
            Err(sqlx::Error::BeginFailed) => Ok(()),
            Err(error)
                if !matches!(error, sqlx::Error::InvalidSavePointStatement)
                    && !DB::in_failed_transaction(&error) =>
            {
                Err(error)
            }
            _ => Err(sqlx::Error::Configuration(
                "`after_connect` has left a transaction open; commit it there".into(),
            )),
        }
    }
}

/// A connection on which it runs. Where that is given up on, the server ends the connection: it would go on for nobody.
pub(super) struct Unattended<DB: Driver> {
    target: Option<(Arc<ControlLine<DB>>, DB::Tag)>,
    /// Whoever gives up may do it outside of any.
    runtime: Handle,
}

impl<DB: Driver> Unattended<DB> {
    pub(super) fn watch(line: &Arc<ControlLine<DB>>, tag: &DB::Tag) -> Self {
        Self {
            target: Some((Arc::clone(line), tag.clone())),
            runtime: Handle::current(),
        }
    }

    /// It has ended well.
    pub(super) fn end(mut self) {
        self.target = None;
    }
}

impl<DB: Driver> Drop for Unattended<DB> {
    fn drop(&mut self) {
        if let Some((line, tag)) = self.target.take() {
            terminate::<DB>(&self.runtime, line, tag);
        }
    }
}
