//! SQLite has no connection to lose: here the process that commits is killed, and its file opened again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use steadfast::{Error, RetryPolicy, SqliteSession, SqliteSessionPool};
use tokio::task::spawn_blocking;
use xtask::database::Database;

use super::seen::{ROWS, Seen};
use crate::campaign::{self, Front};
use crate::child::Part;

pub(super) const PARTS: &[campaign::Part] = &[(Database::Sqlite, |front| Box::pin(attack(front)))];

/// Each is a few pages long, so that a COMMIT has something to write.
const ENTER: &str = "INSERT INTO entries VALUES ($1, $2, zeroblob(20000))";
const COMMITTING: &str = "committing";
const COMMITTED: &str = "committed";

/// Where an entry is a few rows, and nothing keeps one from being there twice.
pub(super) const TABLE: &str =
    "CREATE TABLE entries (id BIGINT NOT NULL, part BIGINT NOT NULL, body BLOB NOT NULL)";

const CHILDREN: u64 = 60;
const CHILDREN_IN_SHORT: u64 = 3;
/// A child is killed in one of its first commits.
const COMMITS: usize = 6;

async fn attack(front: Front) {
    let children = if front.settings.short {
        CHILDREN_IN_SHORT
    } else {
        CHILDREN
    };
    let expected = if front.settings.is_limited() {
        1
    } else {
        children
    };
    front.report.expect("children killed", expected);
    // Half of those of both journals.
    front.report.expect("of them in COMMIT", expected);
    // Either journal has its own way back from half a commit.
    tokio::join!(
        kill_children(&front, "wal", children),
        kill_children(&front, "delete", children),
    );
}

async fn kill_children(front: &Front, journal: &'static str, children: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("entries.db");
    let mut direct = open(&file, journal).await;
    let made = sqlx::raw_sql(TABLE).execute(&mut direct).await;
    made.expect("a table");
    let pool = pool(&file, journal).await;
    pool.install().await.expect("a ledger");
    pool.close().await;
    let mut chance = front.settings.chance(("commit", "children", journal));
    let (mut seen, mut took) = (Seen::default(), Duration::from_millis(2));
    for _ in 0..children {
        if front.is_over() {
            break;
        }
        let kill = Kill {
            commit: chance.usize(1..=COMMITS),
            // Beyond the end as well: the answer may be on its way.
            after: took.mul_f64(1.2 * chance.f64()),
        };
        // Those before it.
        front.report.expect("acknowledged", number(kill.commit - 1));
        let (of, first) = (file.clone(), seen.next());
        let killed = spawn_blocking(move || kill.a_child(&of, journal, first));
        let killed = killed.await.expect("no panic");
        took = killed.took.unwrap_or(took);
        front.report.count("children killed", 1);
        front
            .report
            .count("of them in COMMIT", u64::from(killed.in_commit));
        seen.learn(killed.began, killed.committed);
        let mut direct = open(&file, journal).await;
        for fault in seen.compare(&mut direct).await {
            front.violation(fault);
        }
    }
    // What was looked for, and not just heard.
    front.report.count("acknowledged", seen.acknowledged());
}

fn number(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// When a child is killed.
#[derive(Clone, Copy, Debug)]
struct Kill {
    /// In this commit of its.
    commit: usize,
    /// So long after it has said that it begins.
    after: Duration,
}

/// What a child had said before it was killed.
#[derive(Debug, Default)]
struct Killed {
    began: BTreeSet<i64>,
    committed: BTreeSet<i64>,
    in_commit: bool,
    /// How long its latest commit took that ended.
    took: Option<Duration>,
}

impl Kill {
    /// Blocks until it is dead.
    fn a_child(self, file: &Path, journal: &str, first: i64) -> Killed {
        let file = file.display().to_string();
        let arguments = [file.as_str(), journal, &first.to_string()];
        let mut child = Part::Commits.command(&arguments).spawn().expect("a child");
        let mut killed = Killed::default();
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut began = Instant::now();
        while let Some(Ok(line)) = lines.next() {
            match killed.hear(&line) {
                COMMITTING => {
                    began = Instant::now();
                    if killed.began.len() == self.commit {
                        std::thread::sleep(self.after);
                        end(&mut child);
                    }
                }
                _ => killed.took = Some(began.elapsed()),
            }
        }
        child.wait().expect("it is ours");
        killed.in_commit = killed.began.len() > killed.committed.len();
        killed
    }
}

/// `kill -9`, and nothing else has ended it.
fn end(child: &mut Child) {
    use std::os::unix::process::ExitStatusExt as _;

    child.kill().expect("it can be killed");
    let status = child.wait().expect("it is ours");
    assert_eq!(
        status.signal(),
        Some(9),
        "it was there to be killed: {status}"
    );
}

impl Killed {
    /// What a line says.
    fn hear(&mut self, line: &str) -> &'static str {
        let (what, id) = line.split_once(' ').expect("what, and of which entry");
        let id = id.parse().expect("a number");
        if what == COMMITTING {
            self.began.insert(id);
            COMMITTING
        } else {
            self.committed.insert(id);
            COMMITTED
        }
    }
}

fn options(file: &Path, journal: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(journal.parse().expect("a journal"))
}

async fn open(file: &Path, journal: &str) -> SqliteConnection {
    let opened = options(file, journal).connect().await;
    opened.expect("the file opens")
}

async fn pool(file: &Path, journal: &str) -> SqliteSessionPool {
    let pool = SqliteSessionPool::builder()
        .primary_with(options(file, journal))
        .max_connections(1);
    pool.connect().await.expect("the file opens")
}

/// What the child does: it commits until it is killed.
pub(crate) async fn commit(arguments: &[String]) {
    let [file, journal, first] = arguments else {
        panic!("a file, its journal, and the first entry: {arguments:?}")
    };
    let pool = pool(Path::new(file), journal).await;
    let first: i64 = first.parse().expect("a number");
    for id in first.. {
        let entered = pool
            .operation("torture::commits")
            .retry(RetryPolicy::immediate().max(2).verify_commit())
            .run(async |session| enter(session, id).await)
            .await;
        entered.expect("nobody keeps it from committing");
        println!("{COMMITTED} {id}");
    }
}

async fn enter(session: &mut SqliteSession, id: i64) -> Result<(), Error> {
    for part in 0..ROWS {
        let row = sqlx::query(ENTER).bind(id).bind(part);
        row.execute(&mut *session).await?;
    }
    println!("{COMMITTING} {id}");
    Ok(())
}
