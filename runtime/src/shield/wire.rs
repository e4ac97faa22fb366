//! A connection with what we know about it, as the shield sees it.

use std::sync::Arc;

use super::line::{Client, ControlLine};
use super::refuse::strings_may_escape;
use crate::backend::{BoxFuture, Driver};

/// A connection and its tag. It is *proven* when no transaction is open on it and question and answer are
/// in step. It is marked unproven before anything that may change that is sent, and proven by a proven end
/// alone; an unproven wire that is dropped is closed, never used again. So is one that *retires*: what was done on it
/// stays for whoever comes next, however its transaction ends.
pub(crate) struct Wire<DB: Driver> {
    pub(crate) connection: DB::Connection,
    pub(crate) tag: DB::Tag,
    pub(crate) line: Arc<ControlLine<DB>>,
    _client: Client,
    proven: bool,
    retires: bool,
}

impl<DB: Driver> Wire<DB> {
    pub(crate) fn new(
        connection: DB::Connection,
        tag: DB::Tag,
        line: Arc<ControlLine<DB>>,
    ) -> Self {
        note_escapes::<DB>(&tag);
        Self {
            connection,
            tag,
            _client: line.client(),
            line,
            proven: true,
            retires: false,
        }
    }

    /// Takes in what stands on it behind whoever has set something.
    pub(super) async fn learn(&mut self) -> Result<(), sqlx::Error> {
        DB::learn(&mut self.connection, &mut self.tag).await?;
        note_escapes::<DB>(&self.tag);
        Ok(())
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether it may serve somebody else.
    pub(crate) fn may_go_back(&self) -> bool {
        self.proven && !self.retires
    }

    /// This session is the last one that it serves.
    pub(crate) fn retire(&mut self) {
        self.retires = true;
    }

    pub(crate) fn mark_unproven(&mut self) {
        self.proven = false;
    }

    pub(crate) fn mark_proven(&mut self) {
        self.proven = true;
    }
}

fn note_escapes<DB: Driver>(tag: &DB::Tag) {
    if DB::strings_escape(tag) {
        strings_may_escape();
    }
}

/// What carries a wire: the pool's loan. Dropping a carrier whose wire is unproven closes the connection
/// and frees its slot.
pub(crate) trait Carrier<DB: Driver>: Send + 'static {
    fn wire(&mut self) -> &mut Wire<DB>;

    fn connection(&self) -> &DB::Connection;

    /// Does once more what the pool does to each new connection; `false` where that is nothing.
    fn prepare(&mut self) -> BoxFuture<'_, Result<bool, sqlx::Error>>;
}
