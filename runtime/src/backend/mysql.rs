//! MySQL and MariaDB.
//!
//! A SAVEPOINT rides with BEGIN and `RELEASE; COMMIT` ends the session, so that whatever ended the
//! transaction behind our back (a procedure, DDL in it) is seen: its savepoint is gone (1305). The server
//! knows statement limits as session variables only: the tag remembers what is set and the next BEGIN sets
//! it right. A statement that was dropped while it was being prepared may leave the protocol out of step,
//! and one `OK` proves nothing then; a nonce does.

mod introduction;
mod limits;
mod traces;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use futures_core::stream::BoxStream;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{ConnectOptions as _, Executor as _, MySql, Row as _};

use super::shared::{delegate_to_sqlx, flush_all, out_of_step};
use super::{
    Access, Begin, BoxFuture, Connected, Dialect, Driver, Options, Scrubbed, Statement, Step,
    Suspicion,
};
use crate::isolation::Isolation;
use limits::Limits;
use traces::{Traces, traces};

/// The server's id for a connection, which server it is, and what is set on it.
#[derive(Clone, Debug)]
pub struct MySqlTag {
    id: u64,
    server: Server,
    schema: Option<Arc<str>>,
    limits: Limits,
    /// Whether a transaction of ours was begun, or the session is one in autocommit.
    in_transaction: bool,
    hidden: Hidden,
    /// The rollback that follows shall look what that was.
    is_suspect: bool,
    /// Whether that has ended our transaction or left another open; asked once, with the rollback.
    meddled: OnceLock<bool>,
    /// What the session had done when it was lent by hand, where that can be seen.
    lent: Option<Traces>,
}

/// Whether a statement has run whose text does not show what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Nothing,
    /// Since then it was proven that the transaction is ours.
    Proven,
    Something,
}

#[derive(Clone, Copy, Debug)]
struct Server {
    /// The same for all connections between two starts, and of no other server: the ids of connections begin anew with
    /// each start.
    life: u64,
    is_mariadb: bool,
    /// A lock that is not to be had in time takes the whole transaction with it.
    rolls_back_on_timeout: bool,
}

/// They are no part of a transaction, and block everybody else for as long as the connection idles.
const UNLOCK: &str = "UNLOCK TABLES";

/// A server may be set to begin transactions by itself: with `autocommit` off a single statement would never be
/// committed, and a chained COMMIT would leave a transaction open.
const OWN_SETTINGS: &str = "SET autocommit = 1, completion_type = 0";

impl Driver for MySql {
    const SYSTEM: &'static str = "mysql";
    const DIALECT: Dialect = Dialect::MySql;
    const DROP_DOOMS_SESSION: bool = true;
    const COMMITS_SILENTLY: bool = true;
    const TEXT_IS_TRANSACTION: bool = false;
    const LENDS_IN_SAVEPOINT: bool = false;
    const LEAVES_ERRORS: bool = true;
    const LOSES_ANSWERS: bool = false;

    type Tag = MySqlTag;

    delegate_to_sqlx!();

    fn parse(url: &str) -> Result<MySqlConnectOptions, sqlx::Error> {
        url.parse()
    }

    fn connect(options: &Options<Self>) -> BoxFuture<'_, Connected<Self>> {
        Box::pin(options.connect())
    }

    fn introduce(connection: &mut MySqlConnection) -> BoxFuture<'_, Result<MySqlTag, sqlx::Error>> {
        Box::pin(introduction::introduce(connection))
    }

    fn learn<'c>(
        connection: &'c mut MySqlConnection,
        tag: &'c mut MySqlTag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(introduction::learn(connection, tag))
    }

    fn first_number(row: &Self::Row) -> Result<i64, sqlx::Error> {
        row.try_get(0)
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
            if Self::may_be_open(tag) {
                tag.roll_back_hidden(connection).await?;
            } else {
                connection.execute("ROLLBACK").await?;
            }
            if thorough {
                resync(connection, "").await?;
            }
            Ok(())
        })
    }

    fn resync<'c>(
        connection: &'c mut MySqlConnection,
        tag: &'c mut MySqlTag,
        renews: bool,
    ) -> BoxFuture<'c, Result<Option<sqlx::Error>, sqlx::Error>> {
        Box::pin(async move {
            if !renews {
                return resync(connection, "").await.map(|()| None);
            }
            // To release a savepoint releases those behind it, so nobody may have one.
            let ours = "RELEASE SAVEPOINT steadfast; SAVEPOINT steadfast; ";
            match resync(connection, ours).await {
                Ok(()) => {
                    tag.hidden = Hidden::Proven;
                    Ok(None)
                }
                // The end of the session will tell of it.
                Err(error) if Self::transaction_gone(&error) => {
                    resync(connection, "").await.map(|()| None)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn is_ours(tag: &MySqlTag) -> Option<bool> {
        (tag.hidden == Hidden::Proven).then_some(true)
    }

    fn inspect<'c>(
        connection: &'c mut MySqlConnection,
        tag: &'c mut MySqlTag,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            // MySQL counts too little and shows no variables to an ordinary user.
            if tag.server.is_mariadb {
                tag.lent = traces(connection).await?;
            }
            Ok(())
        })
    }

    fn scrub<'c>(
        connection: &'c mut MySqlConnection,
        tag: &'c mut MySqlTag,
    ) -> BoxFuture<'c, Result<Scrubbed, sqlx::Error>> {
        Box::pin(async move {
            let Some(before) = tag.lent.take() else {
                return Ok(Scrubbed::InDoubt);
            };
            let after = traces(connection).await?;
            if after != Some(before) {
                return Ok(Scrubbed::InDoubt);
            }
            let release = format!("{UNLOCK}; SELECT RELEASE_ALL_LOCKS()");
            Self::batch(connection, release.into()).await?;
            Ok(Scrubbed::Clean)
        })
    }

    fn begin(tag: &mut MySqlTag, begin: &Begin) -> Cow<'static, str> {
        tag.in_transaction = begin.access != Access::Autocommit;
        tag.hidden = Hidden::Nothing;
        tag.is_suspect = false;
        tag.lent = None;
        tag.meddled = OnceLock::new();
        let mut sql = String::new();
        tag.limits.set(begin, &mut sql);
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

    fn commit(tag: &MySqlTag, _unseen: bool, note: &str) -> Cow<'static, str> {
        match (Self::may_be_open(tag), note) {
            (false, "") => Cow::Borrowed("RELEASE SAVEPOINT steadfast; COMMIT"),
            (false, note) => Cow::Owned(format!("RELEASE SAVEPOINT steadfast; {note}COMMIT")),
            (true, note) => Cow::Owned(format!(
                "RELEASE SAVEPOINT steadfast; {note}COMMIT AND NO CHAIN NO RELEASE; {}",
                tag.own_settings()
            )),
        }
    }

    fn schema(tag: &MySqlTag) -> Option<Arc<str>> {
        tag.schema.clone()
    }

    fn runs_hidden(tag: &mut MySqlTag) {
        tag.hidden = Hidden::Something;
    }

    fn suspect(tag: &mut MySqlTag, _lent: Option<Suspicion>) {
        tag.is_suspect = tag.hidden == Hidden::Something;
    }

    fn may_be_open(tag: &MySqlTag) -> bool {
        tag.hidden != Hidden::Nothing
    }

    fn was_meddled_with(tag: &MySqlTag) -> bool {
        tag.meddled.get() == Some(&true)
    }

    fn transaction_gone(error: &sqlx::Error) -> bool {
        // ER_SP_DOES_NOT_EXIST: the savepoint that rode with BEGIN is not there.
        number(error) == Some(1305)
    }

    fn takes_transaction(tag: &MySqlTag, error: &sqlx::Error) -> bool {
        // ER_LOCK_WAIT_TIMEOUT
        tag.server.rolls_back_on_timeout && number(error) == Some(1205)
    }

    fn forget_settings(tag: &mut MySqlTag) {
        tag.limits.forget();
    }

    fn is_same_server(one: &MySqlTag, other: &MySqlTag) -> bool {
        one.server.life == other.server.life
    }

    fn cancel(tag: &MySqlTag) -> Option<String> {
        Some(format!("KILL QUERY {}", tag.id))
    }

    fn terminate(tag: &MySqlTag) -> Option<String> {
        Some(format!("KILL {}", tag.id))
    }
}

impl MySqlTag {
    /// Looks on the way, once, whether what has run unseen had ended our transaction, or opened another. A savepoint
    /// lives as long as its transaction, and outside of one it is gone at once (1305).
    async fn roll_back_hidden(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let mut rollback = String::from("ROLLBACK AND NO CHAIN NO RELEASE");
        // One that was lent by hand and has changed them is closed; the counters must not take these for changes.
        if self.lent.is_none() {
            let _ = write!(rollback, "; {}", self.own_settings());
        }
        if self.is_suspect && self.meddled.get().is_none() {
            let probe = if self.in_transaction {
                "ROLLBACK TO SAVEPOINT steadfast"
            } else {
                "SAVEPOINT steadfast; RELEASE SAVEPOINT steadfast"
            };
            let batch = sqlx::AssertSqlSafe(format!("{probe}; {rollback}"));
            let (is_inside, is_over) = match connection.execute(batch).await {
                Ok(_) => (true, true),
                Err(error) if MySql::transaction_gone(&error) => (false, false),
                Err(error) => return Err(error),
            };
            let _ = self.meddled.set(is_inside != self.in_transaction);
            if is_over {
                return Ok(());
            }
        }
        connection.execute(sqlx::AssertSqlSafe(rollback)).await?;
        Ok(())
    }

    /// What unseen statements may have set or locked, as it was.
    fn own_settings(&self) -> String {
        let mut sql = OWN_SETTINGS.to_owned();
        self.limits.restore(&mut sql);
        let _ = write!(sql, "; {UNLOCK}");
        sql
    }
}

/// Sends a question that no other answer fits, behind what is `ahead` of it.
async fn resync(connection: &mut MySqlConnection, ahead: &str) -> Result<(), sqlx::Error> {
    let nonce = format!("{:032x}", fastrand::u128(..));
    let question = sqlx::AssertSqlSafe(format!("{ahead}SELECT '{nonce}'"));
    let answer: String = connection.fetch_one(question).await?.try_get(0)?;
    if answer == nonce {
        return Ok(());
    }
    Err(out_of_step())
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}
