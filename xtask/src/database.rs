//! The databases, and which of them a run is about.

use std::env;
use std::fmt;
use std::io;
use std::str::FromStr;

/// The variable in which `cargo xtask test --only` passes its choice on: names with commas between them. Without it a
/// run is about all.
pub const ONLY: &str = "STEADFAST_ONLY";

/// A database that steadfast supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Database {
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` or `MariaDB`.
    MySql,
    /// `SQLite`.
    Sqlite,
}

impl Database {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::MySql, Self::Sqlite];

    /// The name of its feature, of its scheme in a URL, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// The variable that holds the URL of its private server while a command runs; `SQLite` has none.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("TEST_POSTGRES_URL"),
            Self::MySql => Some("TEST_MYSQL_URL"),
            Self::Sqlite => None,
        }
    }

    /// Whether this run is about it.
    ///
    /// # Errors
    ///
    /// A name in [`ONLY`] that is no database.
    pub fn is_chosen(self) -> io::Result<bool> {
        match env::var(ONLY) {
            Ok(names) => {
                let chosen: Result<Vec<Self>, String> = names.split(',').map(str::parse).collect();
                Ok(chosen.map_err(io::Error::other)?.contains(&self))
            }
            Err(_) => Ok(true),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Database {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.trim() {
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::MySql),
            "sqlite" => Ok(Self::Sqlite),
            other => Err(format!(
                "`{other}` is no database: use `postgres`, `mysql` or `sqlite`"
            )),
        }
    }
}
