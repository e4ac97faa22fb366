//! SQLite has no server to fall silent: here another process holds the lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use steadfast::{Error, Outcome, SqliteSession, SqliteSessionPool};
use steadfast_tests::support::{Lag, PATIENCE, transient};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use xtask::database::Database;

use super::incident::{Incident, millis};
use super::lock::Lock;
use super::phase::Phase;
use super::run::{COMMIT_TIMEOUT, DEADLINE, LADDER, Run, fresh};
use crate::campaign::{self, Front};

pub(super) const PART: campaign::Part = (Database::Sqlite, |front| Box::pin(attack(front)));

/// How often each phase meets a lock.
const ENOUGH: u64 = 20;
/// A busy machine may keep a call from showing anything.
const ROUNDS: u64 = 30;
/// A caller that waits for a lock goes away after this.
const GONE: Duration = Duration::from_millis(250);

const ENTER: &str = "INSERT INTO entries VALUES ($1)";

async fn attack(front: Front) {
    let (rounds, wanted) = if front.settings.short {
        (5, 1)
    } else {
        (ROUNDS, ENOUGH)
    };
    let expected = if front.settings.is_limited() {
        1
    } else {
        wanted
    };
    let lag = Lag::default();
    let lanes = join_all(phases().map(|phase| {
        front.report.expect(phase.name(), expected);
        let (front, lag) = (front.clone(), &lag);
        async move {
            let file = File::create(&front, lag, phase).await;
            let mut shown = 0;
            for round in 0..rounds {
                if shown == wanted || front.is_over() {
                    break;
                }
                shown += u64::from(file.round(round).await);
            }
        }
    }));
    lag.beside(async { drop(lanes.await) }).await;
}

/// Those in which a call waits for a lock. A statement on a lease does not: it answers `BUSY` after 25 ms.
fn phases() -> impl Iterator<Item = Phase> {
    Phase::ALL
        .into_iter()
        .filter(|phase| *phase != Phase::Lease)
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
        let mut direct = Lock::of(phase).connect(&path).await;
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

    /// Whether it was shown how a call fares.
    async fn round(&self, round: u64) -> bool {
        let run = Run::new(self.phase, round % 2 == 1);
        let lock = Lock::of(self.phase);
        let pool = if self.phase == Phase::Acquire {
            open(&self.path, lock)
        } else {
            if !self.is_served(&self.pool).await {
                return false;
            }
            self.pool.clone()
        };
        let mut holder = lock.held(&self.path).await;
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
            return false;
        }
        if self.phase != Phase::Rollback && matches!(incident.answer, Some(Ok(()))) {
            self.front.violation(format_args!(
                "{lock} {}: answered in spite of it",
                self.phase
            ));
        }
        let is_shown = incident.time(self.front, lock, self.lag) && incident.has_waited();
        self.front.report.count(self.phase.name(), is_shown.into());
        incident.compare(self.front, lock, self.there(incident.run.id).await);
        is_shown
    }

    /// Whether the pool serves its next user once nobody holds anything, and his work is there.
    async fn is_served(&self, pool: &SqliteSessionPool) -> bool {
        let began = Instant::now();
        let served = async {
            loop {
                let id = fresh();
                let entered = pool.session("torture::hang_next", async |session| {
                    enter(session, id).await
                });
                match entered.await {
                    Ok(()) => break Ok(id),
                    // A busy machine may take longer than the pool's limits.
                    Err(error) if error.is_retryable() || error.outcome() == Outcome::Unknown => {
                        sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => break Err(error),
                }
            }
        };
        let id = match timeout(PATIENCE / 2, served).await {
            Ok(Ok(id)) => id,
            failed => {
                self.front.violation(format_args!(
                    "{}: the pool does not recover when the lock is free: {failed:?}",
                    self.phase
                ));
                return false;
            }
        };
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
        let mut direct = Lock::of(self.phase).connect(&self.path).await;
        let count = sqlx::query_scalar("SELECT count(*) FROM entries WHERE id = $1").bind(id);
        count.fetch_one(&mut direct).await.expect("an answer")
    }
}

/// One call, until its slot is free again.
async fn meet(run: Run, pool: &SqliteSessionPool) -> Incident {
    let began = Instant::now();
    let call = async {
        if run.phase.has_session() {
            inside(&run, pool).await
        } else {
            sqlx::query(ENTER).bind(run.id).execute(pool).await?;
            Ok(())
        }
    };
    let (answer, due) = match run.phase {
        phase if phase.is_given_up() => (timeout(GONE, call).await.ok(), began + GONE),
        Phase::Rollback => (Some(call.await), began + LADDER),
        _ => (Some(call.await), began + DEADLINE),
    };
    Incident::note(run, due, answer, pool).await
}

async fn inside(run: &Run, pool: &SqliteSessionPool) -> Result<(), Error> {
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
    operation
        .run(async |session| {
            let seen = Arc::clone(&run.seen);
            session.on_end(move |outcome| seen.ends(outcome));
            work(session, run).await
        })
        .await
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

fn open(path: &Path, lock: Lock) -> SqliteSessionPool {
    let builder = SqliteSessionPool::builder()
        .primary_with(lock.options(path))
        .max_connections(1);
    let builder = builder
        .acquire_timeout(DEADLINE)
        .commit_timeout(COMMIT_TIMEOUT);
    builder.connect_lazy().expect("a pool")
}
