//! What the database itself says, asked over one plain sqlx connection.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Connection};

use crate::{Bank, Engine};

/// One row of the journal.
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) debtor: i64,
    pub(crate) creditor: i64,
    pub(crate) cents: i64,
}

/// The content of the bank after the run.
pub(crate) struct Books {
    pub(crate) accounts: BTreeMap<i64, i64>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) memos: Vec<i64>,
    pub(crate) incidents: Vec<i64>,
}

pub(crate) struct Witness {
    engine: Engine,
    connection: AnyConnection,
}

impl Witness {
    pub(crate) async fn call(bank: &Bank) -> sqlx::Result<Self> {
        let mut connection = bank.connect().await?;
        if bank.engine == Engine::Sqlite {
            sqlx::raw_sql("PRAGMA busy_timeout = 0")
                .execute(&mut connection)
                .await?;
        }
        Ok(Self {
            engine: bank.engine,
            connection,
        })
    }

    pub(crate) async fn read(&mut self) -> sqlx::Result<Books> {
        // One snapshot: what a straggler does meanwhile must not look like a fault.
        let snapshot = match self.engine {
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Engine::MySql => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            Engine::Sqlite => "BEGIN DEFERRED",
        };
        let mut books = self.connection.begin_with(snapshot).await?;
        let accounts: Vec<(i64, i64)> = sqlx::query_as("SELECT id, cents FROM bank_accounts")
            .fetch_all(&mut *books)
            .await?;
        let journal: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as("SELECT id, debtor, creditor, cents FROM bank_transfers")
                .fetch_all(&mut *books)
                .await?;
        let memos: Vec<i64> = sqlx::query_scalar("SELECT transfer FROM bank_memos")
            .fetch_all(&mut *books)
            .await?;
        let incidents: Vec<i64> = sqlx::query_scalar("SELECT transfer FROM bank_incidents")
            .fetch_all(&mut *books)
            .await?;
        books.commit().await?;
        Ok(Books {
            accounts: accounts.into_iter().collect(),
            journal: journal
                .into_iter()
                .map(|(id, debtor, creditor, cents)| Entry {
                    id,
                    debtor,
                    creditor,
                    cents,
                })
                .collect(),
            memos,
            incidents,
        })
    }

    /// Transactions of others that are still open in this database.
    pub(crate) async fn open_transactions(&mut self) -> sqlx::Result<i64> {
        match self.engine {
            Engine::Postgres => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL",
                )
                .fetch_one(&mut self.connection)
                .await
            }
            Engine::MySql => {
                sqlx::query_scalar(
                    "SELECT count(*) FROM information_schema.innodb_trx t \
                     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
                     WHERE p.db = database() AND p.id <> connection_id()",
                )
                .fetch_one(&mut self.connection)
                .await
            }
            // SQLite has no list of transactions: whoever can write at once knows that nobody else holds the lock.
            Engine::Sqlite => match sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await {
                Ok(_) => sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.map(|_| 0),
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("5") => Ok(1),
                Err(error) => Err(error),
            },
        }
    }
}
