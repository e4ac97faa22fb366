//! The bank: three databases, one schema, and the texts of the statements of a transfer.

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::Args;

pub(crate) const ACCOUNTS: i64 = 100;
pub(crate) const OPENING_CENTS: i64 = 10_000;

/// Which database a URL means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `postgres://` or `postgresql://`
    Postgres,
    /// `mysql://` or `mariadb://`
    MySql,
    /// `sqlite:`
    Sqlite,
}

impl Engine {
    /// By the first letters alone: what is wrong with the rest of the URL, a pool says better.
    fn of(url: &str) -> anyhow::Result<Self> {
        let known = [
            ("postgres", Self::Postgres),
            ("mysql", Self::MySql),
            ("mariadb", Self::MySql),
            ("sqlite", Self::Sqlite),
        ];
        let engine = known.iter().find(|(scheme, _)| url.starts_with(scheme));
        engine.map(|(_, engine)| *engine).context(
            "no database by this URL is known here: \
             give one that starts with `postgres://`, `mysql://` or `sqlite://`",
        )
    }

    pub(crate) fn is_server(self) -> bool {
        self != Self::Sqlite
    }
}

/// The statements of a transfer. MySQL writes its parameters `?`, PostgreSQL `$1`, and SQLite takes both.
#[derive(Debug)]
pub struct Statements {
    /// account → cents
    pub balance: &'static str,
    /// cents to add, account
    pub change: &'static str,
    /// id, from, to, cents
    pub journal: &'static str,
    /// id of the transfer
    pub memo: &'static str,
    /// id of the transfer that did not go through
    pub incident: &'static str,
}

impl Statements {
    /// For PostgreSQL and SQLite.
    pub const DOLLARS: Self = Self {
        balance: "SELECT cents FROM bank_accounts WHERE id = $1",
        change: "UPDATE bank_accounts SET cents = cents + $1 WHERE id = $2",
        journal: "INSERT INTO bank_transfers (id, debtor, creditor, cents) VALUES ($1, $2, $3, $4)",
        memo: "INSERT INTO bank_memos (transfer) VALUES ($1)",
        incident: "INSERT INTO bank_incidents (transfer) VALUES ($1)",
    };

    /// For MySQL and MariaDB.
    pub const QUESTION_MARKS: Self = Self {
        balance: "SELECT cents FROM bank_accounts WHERE id = ?",
        change: "UPDATE bank_accounts SET cents = cents + ? WHERE id = ?",
        journal: "INSERT INTO bank_transfers (id, debtor, creditor, cents) VALUES (?, ?, ?, ?)",
        memo: "INSERT INTO bank_memos (transfer) VALUES (?)",
        incident: "INSERT INTO bank_incidents (transfer) VALUES (?)",
    };
}

/// sqlx opens a SQLite file that is not there only when it is told to make one.
fn created_if_missing(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(rest) if !rest.contains("mode=") => {
            format!(
                "{url}{}mode=rwc",
                if rest.contains('?') { '&' } else { '?' }
            )
        }
        _ => url.to_owned(),
    }
}

// The ids carry no unique index: a transfer that was applied twice has to be visible as such.
const SCHEMA: [&str; 8] = [
    "DROP TABLE IF EXISTS bank_incidents",
    "DROP TABLE IF EXISTS bank_memos",
    "DROP TABLE IF EXISTS bank_transfers",
    "DROP TABLE IF EXISTS bank_accounts",
    "CREATE TABLE bank_accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)",
    "CREATE TABLE bank_transfers (id BIGINT NOT NULL, debtor BIGINT NOT NULL, creditor BIGINT NOT NULL, cents BIGINT NOT NULL)",
    "CREATE TABLE bank_memos (transfer BIGINT NOT NULL)",
    "CREATE TABLE bank_incidents (transfer BIGINT NOT NULL)",
];

/// A bank that has been set up, and the way to it.
#[derive(Debug)]
pub struct Bank {
    /// Where it is.
    pub url: String,
    /// What it is.
    pub engine: Engine,
    folder: Option<TempDir>,
}

impl Bank {
    /// The bank at the URL that was given, or in a temporary SQLite file. Nothing is opened yet.
    ///
    /// # Errors
    /// If the URL is of no known kind or names no file of SQLite, or there is no place for a temporary file.
    pub fn find(args: &Args) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let (url, folder) = if let Some(url) = &args.url {
            (created_if_missing(url), None)
        } else {
            let folder = tempfile::Builder::new().prefix("steadfast-").tempdir()?;
            let file = folder.path().join("bank.db");
            (
                format!("sqlite://{}?mode=rwc", file.display()),
                Some(folder),
            )
        };
        let engine = Engine::of(&url)?;
        if engine == Engine::Sqlite {
            refuse_memory(&url)?;
        }
        Ok(Self {
            url,
            engine,
            folder,
        })
    }

    /// Makes the tables anew and fills the accounts.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn set_up(&self) -> anyhow::Result<()> {
        let made = self.make_tables().await;
        made.map_err(|error| {
            anyhow::anyhow!(
                "the tables of the bank cannot be made ({}): {error}",
                self.place()
            )
        })
    }

    pub(crate) async fn connect(&self) -> sqlx::Result<AnyConnection> {
        AnyConnection::connect(&self.url).await
    }

    /// How to open it if it is SQLite: WAL, and a COMMIT that is on the disk when it answers, unless the file is a
    /// temporary one. Nobody keeps that past a power cut, and to wait for a slow disk 8,000 times shows nothing.
    ///
    /// # Errors
    /// If the URL is not one of SQLite.
    pub fn sqlite(&self) -> sqlx::Result<SqliteConnectOptions> {
        let synchronous = if self.folder.is_some() {
            SqliteSynchronous::Normal
        } else {
            SqliteSynchronous::Full
        };
        let options: SqliteConnectOptions = self.url.parse()?;
        Ok(options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true))
    }

    /// The URL as it may be shown: without what stands between `//` and `@`.
    pub(crate) fn place(&self) -> String {
        if self.folder.is_some() {
            return "SQLite in a temporary file, synchronous = NORMAL".to_owned();
        }
        let url = self.url.split('?').next().unwrap_or_default();
        match (url.split_once("//"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
            _ => url.to_owned(),
        }
    }

    async fn make_tables(&self) -> sqlx::Result<()> {
        let mut connection = self.connect().await?;
        if self.engine == Engine::Sqlite {
            sqlx::raw_sql("PRAGMA journal_mode = WAL")
                .execute(&mut connection)
                .await?;
        }
        for statement in SCHEMA {
            sqlx::raw_sql(statement).execute(&mut connection).await?;
        }
        if self.engine == Engine::Postgres {
            // Once autovacuum has counted the 100 rows, PostgreSQL scans the whole table instead of the index, and
            // under serializable each transfer then conflicts with every other. When that happens is chance: 20 s
            // against 6.
            sqlx::raw_sql("ALTER TABLE bank_accounts SET (autovacuum_enabled = off)")
                .execute(&mut connection)
                .await?;
        }
        let rows: Vec<String> = (1..=ACCOUNTS)
            .map(|id| format!("({id}, {OPENING_CENTS})"))
            .collect();
        let accounts = format!(
            "INSERT INTO bank_accounts (id, cents) VALUES {}",
            rows.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(accounts))
            .execute(&mut connection)
            .await?;
        connection.close().await
    }
}

/// Nobody but its own pool sees a database in memory, or one without a name, and the books are checked by somebody
/// else.
fn refuse_memory(url: &str) -> anyhow::Result<()> {
    let (named, options) = url.split_once('?').unwrap_or((url, ""));
    let named = named.trim_start_matches("sqlite:").trim_start_matches("//");
    anyhow::ensure!(
        !named.is_empty() && named != ":memory:" && !options.contains("mode=memory"),
        "a SQLite database in memory is seen by its own pool alone, and the books are checked over a plain connection: \
         give a file, or leave `--url` out for a temporary one"
    );
    Ok(())
}
