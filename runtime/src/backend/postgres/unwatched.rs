//! What somebody did on a connection whom nobody watched, and how it is found out.

use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Postgres, Row as _};

use super::PgTag;
use crate::backend::shared::out_of_step;
use crate::backend::{Driver as _, Suspicion};

/// What somebody has done on the connection whom nobody watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwatched {
    Nothing,
    Something,
    /// The proof behind it has found that the session's transaction was ended.
    Ended,
}

/// Outside of a transaction each query is one of its own and begins with it; the answer of a query that runs in one
/// comes too late for that.
const IS_OUTSIDE: &str = "SELECT transaction_timestamp() = statement_timestamp()";

/// Sends a question that no other answer fits, behind what is `ahead` of it. `Ok(Some(_))` says that the transaction has
/// failed.
pub(super) async fn resync(
    connection: &mut PgConnection,
    ahead: &str,
) -> Result<Option<sqlx::Error>, sqlx::Error> {
    // sqlx does not count the answers of a COPY that nobody has read to its end.
    let nonce = format!("n{:032x}", fastrand::u128(..));
    let question = sqlx::AssertSqlSafe(format!("{ahead}SELECT '{nonce}'"));
    let (is_answer, failed) = match sqlx::raw_sql(question).fetch_one(&mut *connection).await {
        Ok(row) => (row.try_get::<String, _>(0)? == nonce, None),
        // It answers nothing but mistakes.
        Err(failed) if Postgres::in_failed_transaction(&failed) => {
            let mistake = sqlx::AssertSqlSafe(nonce.clone());
            let is_answer = match connection.execute(mistake).await {
                Err(sqlx::Error::Database(error)) => error.message().contains(&nonce),
                Err(error) => return Err(error),
                Ok(_) => false,
            };
            (is_answer, Some(failed))
        }
        Err(error) => return Err(error),
    };
    if is_answer {
        return Ok(failed);
    }
    Err(out_of_step())
}

impl PgTag {
    /// Says whether nothing is left to be rolled back.
    pub(super) async fn find_meddling(
        &self,
        connection: &mut PgConnection,
        suspicion: &Suspicion,
    ) -> Result<bool, sqlx::Error> {
        let (meddled, is_over) = match suspicion {
            Suspicion::Ended { savepoint } => {
                let batch = format!("ROLLBACK TO SAVEPOINT {savepoint}; ROLLBACK");
                match connection.execute(sqlx::AssertSqlSafe(batch)).await {
                    Ok(_) => (false, true),
                    Err(error) if Postgres::transaction_gone(&error) => (true, false),
                    Err(error) => return Err(error),
                }
            }
            Suspicion::Opened => match connection.fetch_one(IS_OUTSIDE).await {
                Ok(row) => {
                    let is_outside: bool = row.try_get(0)?;
                    (!is_outside, is_outside)
                }
                Err(error) if Postgres::in_failed_transaction(&error) => (true, false),
                Err(error) => return Err(error),
            },
        };
        let _ = self.meddled.set(meddled);
        Ok(is_over)
    }
}
