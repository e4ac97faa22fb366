//! sqlx's migrations on a connection of the pool.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::SessionPool;
use super::lease::Lease;
use crate::backend::{Backend, Dialect, Driver};
use crate::error::{Category, Error, Outcome, Phase, Summary};
use crate::operation::Operation;
use crate::shield::scan;

/// What migrations are counted as.
static MIGRATE: Operation = Operation::new("steadfast::migrate");

impl<DB: Backend> SessionPool<DB>
where
    DB::Connection: Migrate,
{
    /// Applies the migrations that are not applied yet, in order (feature `migrate`).
    ///
    /// They run as sqlx runs them, each in a transaction of its own unless it says `-- no-transaction`, on a [`Lease`]:
    /// no statement is refused, and what a migration leaves on the connection is gone afterwards, sqlx's lock too where
    /// one has failed. Two that run at once, from wherever, go one after the other on PostgreSQL, MySQL and MariaDB
    /// (where sqlx's lock holds nobody back, so steadfast takes one of its own beside it). On SQLite they wait for
    /// their turn among the writers of this process and keep it to the end.
    ///
    /// # Errors
    /// A migration that fails is named, and those before it stay. Its outcome is `RolledBack` where its transaction
    /// undid it whole, else `Unknown`: on MySQL and MariaDB every change of a table commits what came before.
    /// `Programming` where the database's list of migrations is not that of the migrator. Those of waiting for a
    /// connection.
    ///
    /// # Cost
    /// sqlx's, and that of a lease.
    ///
    /// # Cancellation
    /// Dropped, the migration that runs is stopped and, where it can be, undone; those before it stay. Call it again.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(pool: steadfast::PgSessionPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlx::migrate::Migrator;
    ///
    /// // Or a static: `static MIGRATOR: Migrator = sqlx::migrate!();`
    /// let migrator = Migrator::new(std::path::Path::new("migrations")).await?;
    /// pool.migrate(&migrator).await?;
    /// # Ok(()) }
    /// ```
    pub async fn migrate(&self, migrator: &Migrator) -> Result<(), Error> {
        let mut lease = Lease::take(self, &MIGRATE, true).await?;
        let migrated = async {
            let first = match DB::DIALECT {
                Dialect::Sqlite => Some(PATIENT),
                Dialect::MySql if migrator.locking => Some(LOCK),
                _ => None,
            };
            if let Some(first) = first {
                <DB as Driver>::batch(&mut lease, first.into()).await?;
            }
            migrator.run_direct(None, &mut *lease, false).await
        };
        let migrated = migrated.await;
        // What is left open is the failed migration's, which has its own error.
        let given = lease.give_back().await;
        match migrated {
            Ok(()) => given,
            Err(error) => Err(failed::<DB>(migrator, error)),
        }
    }
}

/// sqlx waits for its own lock with a timeout of -1, which `MariaDB` answers with NULL, and goes on without it. A year
/// is longer than any migration; the lock goes with the lease.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('steadfast.migrate.', MD5(DATABASE())), 31536000)";

/// As in sqlx: nothing of a migration is sent twice, so other processes are waited for here. The connection does not
/// serve on afterwards.
const PATIENT: &str = "PRAGMA busy_timeout = 5000";

fn failed<DB: Driver>(migrator: &Migrator, error: MigrateError) -> Error {
    match error {
        MigrateError::ExecuteMigration(source, version) => {
            let migration = migrator
                .iter()
                .find(|migration| migration.version == version);
            let name = migration.map_or_else(
                || version.to_string(),
                |migration| format!("{version} ({})", migration.description),
            );
            // One that commits in its midst is none.
            let is_transaction = migration.is_some_and(|migration| {
                !migration.no_tx && scan(DB::DIALECT, migration.sql.as_str(), false).is_none()
            });
            let is_whole = DB::DIALECT != Dialect::MySql
                && is_transaction
                && matches!(source, sqlx::Error::Database(_));
            let (outcome, fate) = if is_whole {
                (
                    Outcome::RolledBack,
                    "it is undone, and those before it stay",
                )
            } else {
                (
                    Outcome::Unknown,
                    "a part of it may be applied, and those before it are",
                )
            };
            told(&format!("migration {name} failed"), source)
                .with_help(fate)
                .with_outcome(outcome)
        }
        MigrateError::Execute(source) => {
            told("the migrations could not be gone through", source).with_outcome(Outcome::Unknown)
        }
        other => Error::new(
            Category::Programming,
            Phase::Body,
            format!("the migrations do not fit the database: {other}"),
        )
        .with_help("see what `_sqlx_migrations` lists, and what the migrator was made of")
        .with_source(other),
    }
}

/// With the words of the database, and its error as the source.
fn told(what: &str, source: sqlx::Error) -> Error {
    let said = Summary::of(&source);
    let code = said.code().map(|code| format!(" ({code})"));
    let message = format!("{what}: {}{}", said.message(), code.unwrap_or_default());
    Error::new(said.category(), Phase::Body, message).with_source(source)
}
