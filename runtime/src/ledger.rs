//! Tokens that tell whether a COMMIT whose answer was lost was applied.
//!
//! The commit's own batch writes a token into a table of the same database, so the token is there if, and only if, the
//! work is. Whoever wants to know writes the same token from another session, marked as a fence. If it is refused the
//! row that is there tells: the commit's, and the work stands, or an earlier fence. If it is taken the work is not
//! there, and never will be: should the lost COMMIT still reach the server, the token is refused and the work undone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Dialect, Driver};
use crate::error::{Category, Error, Integrity, Phase, verdict};

const TABLE: &str = "steadfast_ledger";

/// How long a token is there for certain, so that one which is not there says something.
pub(crate) const TOKENS_CERTAIN: Duration = Duration::from_hours(24);

/// How long a pool leaves a token in the ledger.
pub(crate) const TOKENS_KEPT: Duration = Duration::from_hours(24 * 7);

/// 30 years.
const LONGEST: Duration = Duration::from_hours(24 * 365 * 30);

/// What one commit is known by.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    number: u128,
    /// Where the table is: who asks must look where the commit has written.
    pub(crate) schema: Option<Arc<str>>,
    /// Something in the session may have committed a part of the work, so that a commit which was not applied is no
    /// proof that nothing was.
    pub(crate) hides: bool,
    made: Instant,
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Committed,
    Fenced,
}

impl Token {
    pub(crate) fn fresh() -> Self {
        Self {
            number: fastrand::u128(..),
            schema: None,
            hides: false,
            made: Instant::now(),
        }
    }

    /// Whether that it is not there says that the work is not: the row of an old one may be deleted by now.
    pub(crate) fn proves_by_absence(&self) -> bool {
        !self.hides && self.made.elapsed() < TOKENS_CERTAIN
    }

    fn table(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{TABLE}"),
            None => TABLE.to_owned(),
        }
    }

    /// The literal in the database's SQL.
    fn literal(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Postgres => format!("'{:032x}'", self.number),
            Dialect::MySql | Dialect::Sqlite => format!("x'{:032x}'", self.number),
        }
    }

    /// Writes the token.
    pub(crate) fn note(&self, dialect: Dialect, mark: Mark) -> String {
        let token = self.literal(dialect);
        let committed = match (dialect, mark) {
            (Dialect::Postgres, Mark::Committed) => "true",
            (Dialect::Postgres, Mark::Fenced) => "false",
            (_, Mark::Committed) => "1",
            (_, Mark::Fenced) => "0",
        };
        format!(
            "INSERT INTO {} (token, committed, version) VALUES ({token}, {committed}, 1)",
            self.table()
        )
    }

    /// Answers 1 or 0: whose row it is.
    pub(crate) fn ask(&self, dialect: Dialect) -> String {
        let token = self.literal(dialect);
        format!(
            "SELECT CASE WHEN committed THEN 1 ELSE 0 END FROM {} WHERE token = {token}",
            self.table()
        )
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.number)
    }
}

/// What makes the table. `version` lets a program see that the table is another version's before it relies on it.
pub(crate) const fn schema(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "CREATE TABLE IF NOT EXISTS steadfast_ledger (
    token uuid PRIMARY KEY,
    committed boolean NOT NULL,
    version smallint NOT NULL CHECK (version = 1),
    noted_at timestamptz NOT NULL DEFAULT now()
)"
        }
        Dialect::MySql => {
            "CREATE TABLE IF NOT EXISTS steadfast_ledger (
    token binary(16) PRIMARY KEY,
    committed boolean NOT NULL,
    version smallint NOT NULL CHECK (version = 1),
    noted_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB"
        }
        Dialect::Sqlite => {
            "CREATE TABLE IF NOT EXISTS steadfast_ledger (
    token BLOB PRIMARY KEY,
    committed INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version = 1),
    noted_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID"
        }
    }
}

/// Deletes the tokens that are older. Of more years than a server's clock goes back no token is.
pub(crate) fn forget(dialect: Dialect, older_than: Duration) -> String {
    let seconds = older_than.min(LONGEST).as_secs();
    let old = match dialect {
        Dialect::Postgres => format!("now() - make_interval(secs => {seconds})"),
        Dialect::MySql => format!("CURRENT_TIMESTAMP - INTERVAL {seconds} SECOND"),
        Dialect::Sqlite => format!("unixepoch() - {seconds}"),
    };
    format!("DELETE FROM steadfast_ledger WHERE noted_at < {old}")
}

/// What is wrong with a table that did not take a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is not there, or is another version's, or may not be written.
    Unusable,
    /// The token is there: somebody has fenced the commit off.
    Fenced,
}

impl Trouble {
    /// Reads the answer to a batch that began with a token. Of a COMMIT itself no server says such things, so COMMIT
    /// was not reached.
    pub(crate) fn of<DB: Driver>(error: &sqlx::Error) -> Option<Self> {
        let sqlx::Error::Database(answer) = error else {
            return None;
        };
        let category = verdict(error).category;
        let about_us = match DB::DIALECT {
            Dialect::Postgres => answer.table() == Some(TABLE) || answer.message().contains(TABLE),
            // These do not always name the table, but check nothing else at COMMIT.
            Dialect::MySql => true,
            Dialect::Sqlite => category != Category::Integrity(Integrity::ForeignKey),
        };
        match category {
            Category::Integrity(Integrity::Unique) if about_us => Some(Self::Fenced),
            Category::Programming | Category::Access | Category::Integrity(_) if about_us => {
                Some(Self::Unusable)
            }
            _ => None,
        }
    }

    /// The error of the call.
    pub(crate) fn explain(self, source: sqlx::Error) -> Error {
        match self {
            Self::Unusable if verdict(&source).category == Category::Access => Error::new(
                Category::Access,
                Phase::Commit,
                "`verify_commit` may not use the table `steadfast_ledger`",
            )
            .with_help("grant the pool's user, or the role that the session has taken, the rights to insert into it and to read it")
            .with_source(source),
            Self::Unusable => Error::new(
                Category::Programming,
                Phase::Commit,
                "`verify_commit` could not write to the table `steadfast_ledger`",
            )
            .with_help("make it with `pool.install()`, or with the SQL of `SessionPool::SCHEMA`; where another version's is there, use that version of steadfast, or rename it")
            .with_source(source),
            Self::Fenced => Error::new(
                Category::Conflict,
                Phase::Commit,
                "the commit came after somebody had asked for it and was undone",
            )
            .with_source(source),
        }
    }
}
