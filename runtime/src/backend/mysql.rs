//! MySQL and MariaDB.
//!
//! A SAVEPOINT rides with BEGIN and `RELEASE; COMMIT` ends the session, so that whatever ended the
//! transaction behind our back (a procedure, DDL in it) is seen: its savepoint is gone (1305). The server
//! knows statement limits as session variables only: the tag remembers what is set and the next BEGIN sets
//! it right. A statement that was dropped while it was being prepared may leave the protocol out of step,
//! and one `OK` proves nothing then; a nonce does.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use futures_core::stream::BoxStream;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{ConnectOptions as _, Executor as _, MySql, Row as _};

use super::{
    Access, Begin, BoxFuture, Dialect, Driver, Established, Options, Statement, Step,
    delegate_to_sqlx, first_row_of_all, flush_all,
};
use crate::isolation::Isolation;

/// The server's id for a connection, which server it is, and the statement limit it was last given.
#[derive(Debug)]
pub struct MySqlTag {
    id: u64,
    is_mariadb: bool,
    limit: StatementLimit,
    /// Whether a transaction of ours was begun, or the session is one statement in autocommit.
    in_transaction: bool,
    /// A statement has run whose text does not show what it did.
    hidden: bool,
    /// Whether that has ended our transaction or left another open; asked once, ahead of the rollback.
    meddled: OnceLock<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatementLimit {
    Default,
    Millis(u64),
    InDoubt,
}

/// A server may be set to begin transactions by itself: with `autocommit` off a single statement would never be
/// committed, and a chained COMMIT would leave a transaction open.
const OWN_SETTINGS: &str = "SET autocommit = 1, completion_type = 0";

impl Driver for MySql {
    const SYSTEM: &'static str = "mysql";
    const DIALECT: Dialect = Dialect::MySql;
    const DROP_DOOMS_SESSION: bool = true;
    const TEXT_IS_TRANSACTION: bool = false;
    const LENDS_IN_SAVEPOINT: bool = false;
    const LEAVES_ERRORS: bool = true;

    type Tag = MySqlTag;

    delegate_to_sqlx!();
    first_row_of_all!();

    fn parse(url: &str) -> Result<MySqlConnectOptions, sqlx::Error> {
        url.parse()
    }

    fn establish(options: &Options<Self>) -> BoxFuture<'_, Established<Self>> {
        Box::pin(async move {
            let mut connection = options.connect().await?;
            let question =
                format!("{OWN_SETTINGS}; SELECT CAST(CONNECTION_ID() AS CHAR), VERSION()");
            let row = connection.fetch_one(sqlx::AssertSqlSafe(question)).await?;
            let id: String = row.try_get(0)?;
            let version: String = row.try_get(1)?;
            let id = id.parse().map_err(|_| {
                sqlx::Error::Protocol(format!("the server's connection id `{id}` is not a number"))
            })?;
            let tag = MySqlTag {
                id,
                is_mariadb: version.contains("MariaDB"),
                limit: StatementLimit::Default,
                in_transaction: false,
                hidden: false,
                meddled: OnceLock::new(),
            };
            Ok((connection, tag))
        })
    }

    fn drain<'c>(
        connection: &'c mut MySqlConnection,
        _tag: &'c MySqlTag,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(flush_all(connection))
    }

    fn prove_clean<'c>(
        connection: &'c mut MySqlConnection,
        tag: &'c MySqlTag,
        thorough: bool,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            flush_all(connection).await?;
            if tag.hidden {
                tag.find_meddling(connection).await?;
                let sql = format!("ROLLBACK AND NO CHAIN NO RELEASE; {OWN_SETTINGS}");
                connection.execute(sqlx::AssertSqlSafe(sql)).await?;
            } else {
                connection.execute("ROLLBACK").await?;
            }
            if thorough {
                Self::resync(connection).await?;
            }
            Ok(())
        })
    }

    fn resync(connection: &mut MySqlConnection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let nonce = format!("{:032x}", fastrand::u128(..));
            let question = sqlx::AssertSqlSafe(format!("SELECT '{nonce}'"));
            let answer: String = connection.fetch_one(question).await?.try_get(0)?;
            if answer == nonce {
                return Ok(());
            }
            Err(sqlx::Error::Protocol(
                "the connection answered an earlier question".to_owned(),
            ))
        })
    }

    fn begin(tag: &mut MySqlTag, begin: &Begin) -> Cow<'static, str> {
        tag.in_transaction = begin.access != Access::Autocommit;
        tag.hidden = false;
        tag.meddled = OnceLock::new();
        let mut sql = String::new();
        let limit = match begin.limit {
            Some(limit) => StatementLimit::Millis(millis(limit)),
            None => StatementLimit::Default,
        };
        if tag.limit != limit {
            tag.limit = limit;
            tag.write_limit(&mut sql);
        }
        if begin.access != Access::Autocommit {
            if let Some(isolation) = begin.isolation {
                sql.push_str(match isolation {
                    Isolation::ReadCommitted => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ",
                    Isolation::RepeatableRead => {
                        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
                    }
                    Isolation::Serializable => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ",
                });
            }
            sql.push_str("START TRANSACTION");
            if begin.access == Access::Read {
                sql.push_str(" READ ONLY");
            }
            sql.push_str("; SAVEPOINT steadfast");
        }
        Cow::Owned(sql)
    }

    fn commit(tag: &MySqlTag, _unseen: bool) -> Cow<'static, str> {
        if tag.hidden {
            return Cow::Owned(format!(
                "RELEASE SAVEPOINT steadfast; COMMIT AND NO CHAIN NO RELEASE; {OWN_SETTINGS}"
            ));
        }
        Cow::Borrowed("RELEASE SAVEPOINT steadfast; COMMIT")
    }

    fn runs_hidden(tag: &mut MySqlTag) {
        tag.hidden = true;
    }

    fn may_be_open(tag: &MySqlTag) -> bool {
        tag.hidden
    }

    fn was_meddled_with(tag: &MySqlTag) -> bool {
        tag.meddled.get() == Some(&true)
    }

    fn transaction_gone(error: &sqlx::Error) -> bool {
        // ER_SP_DOES_NOT_EXIST: the savepoint that rode with BEGIN is not there.
        let sqlx::Error::Database(error) = error else {
            return false;
        };
        error
            .try_downcast_ref::<MySqlDatabaseError>()
            .is_some_and(|error| error.number() == 1305)
    }

    fn forget_settings(tag: &mut MySqlTag) {
        tag.limit = StatementLimit::InDoubt;
    }

    fn cancel(tag: &MySqlTag) -> Option<String> {
        Some(format!("KILL QUERY {}", tag.id))
    }

    fn terminate(tag: &MySqlTag) -> Option<String> {
        Some(format!("KILL {}", tag.id))
    }
}

impl MySqlTag {
    /// A savepoint lives as long as its transaction, and outside of one it is gone at once (1305).
    async fn find_meddling(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        if self.meddled.get().is_some() {
            return Ok(());
        }
        let probe = if self.in_transaction {
            "ROLLBACK TO SAVEPOINT steadfast"
        } else {
            "SAVEPOINT steadfast; RELEASE SAVEPOINT steadfast"
        };
        let is_inside = match connection.execute(probe).await {
            Ok(_) => true,
            Err(error) if MySql::transaction_gone(&error) => false,
            Err(error) => return Err(error),
        };
        let _ = self.meddled.set(is_inside != self.in_transaction);
        Ok(())
    }

    fn write_limit(&self, sql: &mut String) {
        let _ = match (self.limit, self.is_mariadb) {
            (StatementLimit::Millis(ms), true) => {
                write!(
                    sql,
                    "SET max_statement_time = {}.{:03}; ",
                    ms / 1000,
                    ms % 1000
                )
            }
            (StatementLimit::Millis(ms), false) => {
                write!(sql, "SET SESSION max_execution_time = {ms}; ")
            }
            (StatementLimit::Default | StatementLimit::InDoubt, true) => {
                write!(sql, "SET max_statement_time = DEFAULT; ")
            }
            (StatementLimit::Default | StatementLimit::InDoubt, false) => {
                write!(sql, "SET SESSION max_execution_time = DEFAULT; ")
            }
        };
    }
}

fn millis(limit: Duration) -> u64 {
    // 0 would mean no limit at all, and MySQL's setting has 32 bits.
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, u64::from(u32::MAX))
}
