//! The servers of one command.

use std::io;
use std::thread;

use tokio::process::Command;
use xtask::database::Database;
use xtask::servers::{MariaDb, Postgres, making_none};

use crate::signals::Signals;

/// Running servers; they end with this value.
pub(crate) struct Running {
    postgres: Option<Postgres>,
    mariadb: Option<MariaDb>,
}

impl Running {
    /// Starts the servers of `databases`, side by side. A signal meanwhile ends this process; the watchers then remove
    /// what there is.
    pub(crate) async fn start(databases: &[Database], signals: &mut Signals) -> io::Result<Self> {
        let databases = databases.to_vec();
        let starting = tokio::task::spawn_blocking(move || Self::start_blocking(&databases));
        tokio::select! {
            started = starting => started.map_err(io::Error::other)?,
            asked = signals.next() => {
                let _making_none = making_none();
                std::process::exit(asked.code().into())
            }
        }
    }

    fn start_blocking(databases: &[Database]) -> io::Result<Self> {
        let (postgres, mariadb) = (
            databases.contains(&Database::Postgres),
            databases.contains(&Database::MySql),
        );
        // What has to be installed goes one after the other: apt-get locks.
        if postgres {
            Postgres::find()?;
        }
        if mariadb {
            MariaDb::find()?;
        }
        thread::scope(|scope| {
            let postgres = postgres.then(|| scope.spawn(Postgres::start));
            let mariadb = mariadb.then(MariaDb::start).transpose()?;
            let postgres = postgres.map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            Ok(Self {
                postgres: postgres.transpose()?,
                mariadb,
            })
        })
    }

    /// The URL of a database's server, if it was started.
    pub(crate) fn url(&self, database: Database) -> Option<String> {
        match database {
            Database::Postgres => self.postgres.as_ref().map(Postgres::url),
            Database::MySql => self.mariadb.as_ref().map(MariaDb::url),
            Database::Sqlite => None,
        }
    }

    /// Tells `command` where the servers are, and nothing of others.
    pub(crate) fn announce(&self, command: &mut Command) {
        for database in Database::ALL {
            let Some(variable) = database.variable() else {
                continue;
            };
            match self.url(database) {
                Some(url) => command.env(variable, url),
                None => command.env_remove(variable),
            };
        }
    }
}

/// All databases where none is named.
pub(crate) fn chosen(only: &[Database]) -> Vec<Database> {
    Database::ALL
        .into_iter()
        .filter(|database| only.is_empty() || only.contains(database))
        .collect()
}
