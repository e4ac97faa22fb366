//! sqlx's own count of the transactions on a connection.
//!
//! A connection that is lent goes to code that knows nothing of a session and may call `begin` on it. sqlx makes that a
//! savepoint where it counts a transaction already, so it is made to count ours. The count stays with the connection
//! afterwards: nothing else reads it, and the next session that lends finds it as it needs it.
//!
//! This is the one use of `sqlx-core`: sqlx itself does not show the trait.

use std::fmt::Write as _;

use sqlx::{Connection as _, Database};
use sqlx_core::transaction::TransactionManager;

use crate::backend::Driver;

/// How many transactions and savepoints sqlx believes to be open.
pub(crate) fn depth<DB: Driver>(connection: &DB::Connection) -> usize {
    <DB as Database>::TransactionManager::get_transaction_depth(connection)
}

/// Has sqlx count nothing, for code that begins transactions of its own. Outside of a transaction only; one that sqlx
/// believes in has to be there for as long as it takes to roll it back.
pub(crate) async fn uncount<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<(), sqlx::Error> {
    let depth = depth::<DB>(connection);
    if depth == 0 {
        return Ok(());
    }
    let mut batch = String::from("BEGIN");
    for savepoint in 1..depth {
        let _ = write!(batch, "; SAVEPOINT _sqlx_savepoint_{savepoint}");
    }
    DB::batch(connection, batch.into()).await?;
    for _ in 0..depth {
        <DB as Database>::TransactionManager::rollback(connection).await?;
    }
    Ok(())
}

/// Sends a batch in which a transaction is begun or has been, and has sqlx count it. Only where it counts none.
pub(super) async fn begin<DB: Driver>(
    connection: &mut DB::Connection,
    batch: String,
) -> Result<(), sqlx::Error> {
    let batch = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(batch));
    <DB as Database>::TransactionManager::begin(connection, Some(batch)).await
}

/// Whether the last that a borrower did was to drop a transaction: sqlx has written its rollback, and sends it with what
/// comes next.
pub(super) fn undoes<DB: Driver>(connection: &DB::Connection) -> bool {
    connection.should_flush()
}

/// Sends that rollback again.
pub(super) async fn undo_again<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<(), sqlx::Error> {
    let rollback = match depth::<DB>(connection) {
        0 => "ROLLBACK".into(),
        depth => format!("ROLLBACK TO SAVEPOINT _sqlx_savepoint_{depth}").into(),
    };
    DB::batch(connection, rollback).await
}
