//! SQLite has no server to fall silent: here another process holds the lock.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use steadfast::{Error, SqliteSession, SqliteSessionPool};
use steadfast_tests::support::{PATIENCE, transient};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use xtask::database::Database;

use super::incident::{COMMIT_TIMEOUT, DEADLINE, Incident, LADDER, Run, fresh, millis};
use super::lag::Lag;
use super::phase::Phase;
use crate::campaign::{self, Front};
use crate::child::Part;

pub(super) const PART: campaign::Part = (Database::Sqlite, |front| Box::pin(attack(front)));

/// How often each phase meets a lock.
const ROUNDS: u64 = 20;
/// A caller that waits for a lock goes away after this.
const GONE: Duration = Duration::from_millis(250);

const ENTER: &str = "INSERT INTO entries VALUES ($1)";

/// What the other process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
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
    fn of(phase: Phase) -> Self {
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
}

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} lock held", self.name())
    }
}

async fn attack(front: Front) {
    let (rounds, expected) = match (front.settings.short, front.settings.is_limited()) {
        (true, _) => (1, 1),
        (false, true) => (ROUNDS, 1),
        (false, false) => (ROUNDS, ROUNDS),
    };
    let lag = Lag::default();
    let lanes = join_all(Phase::ALL.map(|phase| {
        front.report.expect(phase.name(), expected);
        let (front, lag) = (front.clone(), &lag);
        async move {
            let file = File::create(&front, lag, phase).await;
            for round in 0..rounds {
                if front.is_over() {
                    break;
                }
                file.round(round).await;
            }
        }
    }));
    lag.beside(async { drop(lanes.await) }).await;
}

/// A file on which one phase is attacked.
struct File<'f> {
    front: &'f Front,
    lag: &'f Lag,
    phase: Phase,
    path: PathBuf,
    pool: SqliteSessionPool,
    _folder: tempfile::TempDir,
}

impl<'f> File<'f> {
    async fn create(front: &'f Front, lag: &'f Lag, phase: Phase) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("entries.db");
        let made = sqlx::raw_sql("CREATE TABLE entries (id BIGINT NOT NULL)");
        let mut direct = connect(&path, Lock::of(phase)).await;
        made.execute(&mut direct).await.expect("a table");
        let pool = open(&path, Lock::of(phase));
        Self {
            front,
            lag,
            phase,
            path,
            pool,
            _folder: folder,
        }
    }

    async fn round(&self, round: u64) {
        let run = Run::new(self.phase, round % 2 == 1);
        let lock = Lock::of(self.phase);
        let pool = if self.phase == Phase::Acquire {
            open(&self.path, lock)
        } else {
            if !self.is_served(&self.pool).await {
                return;
            }
            self.pool.clone()
        };
        let mut holder = self.hold(lock).await;
        let incident = meet(run, &pool).await;
        // It goes by itself, or is killed.
        if incident.run.is_second {
            drop(holder.stdin.take());
        } else {
            holder.kill().expect("it can be killed");
        }
        spawn_blocking(move || holder.wait())
            .await
            .expect("no panic")
            .expect("it is ours");
        if !self.is_served(&pool).await {
            return;
        }
        if self.phase != Phase::Rollback && matches!(incident.answer, Some(Ok(()))) {
            self.front.violation(format_args!(
                "{lock} {}: answered in spite of it",
                self.phase
            ));
        }
        self.front.report.count(self.phase.name(), 1);
        incident.time(self.front, lock, self.lag);
        incident.compare(self.front, lock, self.there(incident.run.id).await);
    }

    /// A process that holds a lock now.
    async fn hold(&self, lock: Lock) -> Child {
        let path = self.path.display().to_string();
        let start = move || {
            let mut holder = Part::Holds
                .command(&[&path, lock.name()])
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

    /// Whether the pool serves its next user once nobody holds anything.
    async fn is_served(&self, pool: &SqliteSessionPool) -> bool {
        let (id, began) = (fresh(), Instant::now());
        let enters = pool.session("torture::hang_next", async |session| {
            enter(session, id).await
        });
        let served = timeout(PATIENCE, enters).await;
        if !matches!(served, Ok(Ok(()))) {
            self.front.violation(format_args!(
                "{}: the pool does not recover when the lock is free: {served:?}",
                self.phase
            ));
            return false;
        }
        let took = millis(began.elapsed());
        self.front.report.greatest("ms until a pool recovers", took);
        let is_there = self.there(id).await == 1;
        if !is_there {
            self.front.violation(format_args!(
                "{}: the next user was told of a commit that is not there",
                self.phase
            ));
        }
        is_there
    }

    async fn there(&self, id: i64) -> i64 {
        let mut direct = connect(&self.path, Lock::of(self.phase)).await;
        let count = sqlx::query_scalar("SELECT count(*) FROM entries WHERE id = $1").bind(id);
        count.fetch_one(&mut direct).await.expect("an answer")
    }
}

/// One call, until its slot is free again.
async fn meet(run: Run, pool: &SqliteSessionPool) -> Incident {
    let began = Instant::now();
    let mut operation = pool.operation("torture::hang");
    // Acquiring has the pool's own limit; the wait for a lock may have one too.
    operation = match (run.phase, run.is_second) {
        (Phase::Acquire, true) => operation,
        (_, true) => operation.lock_timeout(DEADLINE),
        (_, false) => operation.timeout(DEADLINE),
    };
    if matches!(run.phase, Phase::Statement | Phase::Stream) {
        operation = operation.autocommit();
    }
    let call = operation.run(async |session| {
        let ended = Arc::clone(&run.ended);
        session.on_end(move |outcome| *ended.lock().expect("no panic") = Some(outcome));
        work(session, &run).await
    });
    let (answer, due) = match run.phase {
        Phase::Dropped => (timeout(GONE, call).await.ok(), began + GONE),
        Phase::Rollback => (Some(call.await), began + LADDER),
        _ => (Some(call.await), began + DEADLINE),
    };
    Incident::note(run, due, answer, pool).await
}

async fn work(session: &mut SqliteSession, run: &Run) -> Result<(), Error> {
    match run.phase {
        Phase::Stream => {
            let insert = "INSERT INTO entries VALUES ($1) RETURNING id";
            let mut rows = sqlx::query(insert).bind(run.id).fetch(&mut *session);
            while rows.next().await.transpose()?.is_some() {}
        }
        Phase::Nested => {
            let nested = session.savepoint(async |session| {
                enter(session, run.id).await?;
                enter(session, run.id).await
            });
            nested.await?;
        }
        Phase::Rollback => {
            enter(session, run.id).await?;
            return Err(transient());
        }
        _ => enter(session, run.id).await?,
    }
    Ok(())
}

async fn enter(session: &mut SqliteSession, id: i64) -> Result<(), Error> {
    sqlx::query(ENTER).bind(id).execute(&mut *session).await?;
    Ok(())
}

fn options(path: &std::path::Path, lock: Lock) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.journal_mode(lock.journal().parse().expect("a journal"));
    options.create_if_missing(true).busy_timeout(PATIENCE)
}

async fn connect(path: &std::path::Path, lock: Lock) -> sqlx::SqliteConnection {
    options(path, lock).connect().await.expect("the file opens")
}

fn open(path: &std::path::Path, lock: Lock) -> SqliteSessionPool {
    let builder = SqliteSessionPool::builder()
        .primary_with(options(path, lock))
        .max_connections(1);
    let builder = builder
        .acquire_timeout(DEADLINE)
        .commit_timeout(COMMIT_TIMEOUT);
    builder.connect_lazy().expect("a pool")
}

const HELD: &str = "held";

/// What the child does: it takes the lock, and holds it until it ends.
pub(crate) async fn hold(arguments: &[String]) {
    let [path, name] = arguments else {
        panic!("a file and a lock: {arguments:?}")
    };
    let lock = Lock::ALL.into_iter().find(|lock| lock.name() == name);
    let lock = lock.expect("a lock");
    let mut connection = connect(std::path::Path::new(path), lock).await;
    let taken = sqlx::raw_sql(lock.taken()).execute(&mut connection).await;
    taken.expect("nobody else holds it");
    println!("{HELD}");
    sleep(Duration::MAX).await;
}
