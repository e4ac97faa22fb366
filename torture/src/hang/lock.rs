//! A lock of a SQLite file, in the hands of another process.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use steadfast_tests::support::PATIENCE;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::phase::Phase;
use crate::child::Part;

const HELD: &str = "held";

/// What the other process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// The one that writers need.
    Write,
    /// What keeps a writer from committing where there is no WAL.
    Read,
    /// All: without WAL nobody else may even read.
    Exclusive,
}

impl Lock {
    const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Exclusive];

    /// The one that a call meets in this phase. A rollback needs none, and is to be as quick as ever.
    pub(super) fn of(phase: Phase) -> Self {
        match phase {
            Phase::Acquire => Self::Exclusive,
            Phase::Commit | Phase::Rollback => Self::Read,
            _ => Self::Write,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Exclusive => "exclusive",
        }
    }

    fn journal(self) -> &'static str {
        match self {
            Self::Write => "wal",
            Self::Read | Self::Exclusive => "delete",
        }
    }

    fn taken(self) -> &'static str {
        match self {
            Self::Write => "BEGIN IMMEDIATE",
            Self::Read => "BEGIN; SELECT count(*) FROM entries",
            Self::Exclusive => "BEGIN EXCLUSIVE",
        }
    }

    /// Of a file on which it keeps others from what it is meant to.
    pub(super) fn options(self, path: &Path) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(path);
        let options = options.journal_mode(self.journal().parse().expect("a journal"));
        options.create_if_missing(true).busy_timeout(PATIENCE)
    }

    /// A connection of plain sqlx.
    pub(super) async fn connect(self, path: &Path) -> SqliteConnection {
        self.options(path).connect().await.expect("the file opens")
    }

    /// A process that holds it now.
    pub(super) async fn held(self, path: &Path) -> Child {
        let path = path.display().to_string();
        let start = move || {
            let mut holder = Part::Holds
                .command(&[&path, self.name()])
                .spawn()
                .expect("a child");
            let mut said = String::new();
            let pipe = holder.stdout.take().expect("a pipe");
            BufReader::new(pipe).read_line(&mut said).expect("a line");
            assert_eq!(said.trim(), HELD, "it has the lock");
            holder
        };
        spawn_blocking(start).await.expect("no panic")
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} lock held", self.name())
    }
}

/// What the child does: it takes the lock, and holds it until it ends.
pub(crate) async fn hold(arguments: &[String]) {
    let [path, name] = arguments else {
        panic!("a file and a lock: {arguments:?}")
    };
    let lock = Lock::ALL.into_iter().find(|lock| lock.name() == name);
    let lock = lock.expect("a lock");
    let mut connection = lock.connect(Path::new(path)).await;
    let taken = sqlx::raw_sql(lock.taken()).execute(&mut connection).await;
    taken.expect("nobody else holds it");
    println!("{HELD}");
    sleep(Duration::MAX).await;
}
