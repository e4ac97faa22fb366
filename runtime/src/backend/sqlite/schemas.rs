//! Tables that are others by now. `SQLite` prepares a statement anew whose tables have changed, and sqlx goes on with the
//! columns that it had: a value under the name of another column, or a panic of the driver's thread.

use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

/// The schemas that a connection has prepared statements for.
#[derive(Clone, Debug)]
pub(super) struct Schemas {
    /// Asks for the version of each: of the database, and of those that `after_connect` has attached.
    asks: Arc<str>,
    /// Reads each anew where it has changed.
    reads: Arc<str>,
    count: usize,
    /// Empty where they are in doubt.
    versions: Vec<i64>,
    /// Nothing keeps others from changing tables between two statements of this session.
    is_open: bool,
    /// This session may have changed a table. What undoes that takes the version back, and what others change then may
    /// have the same.
    is_reshaping: bool,
    /// A statement was sent behind the last look.
    is_used: bool,
    /// The versions ahead of a loan, which may have changed tables, and may have undone that.
    ahead_of_loan: Option<Vec<i64>>,
}

impl Schemas {
    pub(super) async fn of(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        // Reads no schema: a file that is no database is told of by the session that meets it.
        let rows = connection
            .fetch_all(sqlx::raw_sql("PRAGMA database_list"))
            .await?;
        // A table of `temp` stands before one of the same name.
        let mut asks = String::from("PRAGMA main.schema_version; PRAGMA temp.schema_version");
        let mut reads = String::from("SELECT 1 FROM main.sqlite_schema LIMIT 1");
        let mut count = 2;
        for row in rows {
            let name: String = row.try_get(1)?;
            if name == "main" || name == "temp" {
                continue;
            }
            count += 1;
            let name = name.replace('"', "\"\"");
            let _ = write!(asks, "; PRAGMA \"{name}\".schema_version");
            let _ = write!(reads, "; SELECT 1 FROM \"{name}\".sqlite_schema LIMIT 1");
        }
        Ok(Self {
            asks: asks.into(),
            reads: reads.into(),
            count,
            versions: Vec::new(),
            is_open: false,
            is_reshaping: false,
            is_used: false,
            ahead_of_loan: None,
        })
    }

    /// A session begins.
    pub(super) fn begin(&mut self, autocommit: bool) {
        if self.is_reshaping || self.ahead_of_loan.is_some() {
            self.versions.clear();
        }
        self.is_open = autocommit;
        self.is_reshaping = false;
        self.ahead_of_loan = None;
    }

    /// The connection is lent.
    pub(super) fn lends(&mut self) {
        let versions = std::mem::take(&mut self.versions);
        self.ahead_of_loan.get_or_insert(versions);
        self.is_used = true;
    }

    /// A statement is about to be sent.
    pub(super) fn sends(&mut self, reshapes: bool) {
        self.is_used = true;
        if reshapes {
            self.is_reshaping = true;
            self.versions.clear();
        }
    }

    /// Whether the next statement needs a look ahead of it.
    pub(super) fn are_stale(&self) -> bool {
        self.is_used && (self.is_open || self.is_reshaping || self.ahead_of_loan.is_some())
    }

    /// Has sqlx forget all that it has prepared: nobody could look.
    pub(super) async fn forget(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        self.versions.clear();
        connection.clear_cached_statements().await
    }

    /// Has sqlx forget what it has prepared for schemas that have changed; asked in one text behind what goes `ahead`.
    pub(super) async fn refresh(
        &mut self,
        connection: &mut SqliteConnection,
        ahead: &str,
    ) -> Result<(), sqlx::Error> {
        let asks = if ahead.is_empty() {
            Arc::clone(&self.asks)
        } else {
            format!("{ahead}; {}", self.asks).into()
        };
        let rows = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(asks)))
            .await?;
        // What goes ahead may have answered rows of its own.
        let ours = rows.len().saturating_sub(self.count);
        let versions = rows[ours..].iter().map(|row| row.try_get(0));
        let versions: Vec<i64> = versions.collect::<Result<_, _>>()?;
        if let Some(before) = self.ahead_of_loan.take() {
            self.is_reshaping |= before != versions;
        }
        if self.versions != versions {
            // What is prepared next is prepared for the schema that SQLite remembers.
            let reads = AssertSqlSafe(Arc::clone(&self.reads));
            connection.execute(sqlx::raw_sql(reads)).await?;
            connection.clear_cached_statements().await?;
            self.versions = versions;
        }
        self.is_used = false;
        Ok(())
    }
}
