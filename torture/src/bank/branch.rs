//! The bank on SQLite, where nothing but a process can be killed: it has branches, processes of their own that work on one
//! file. One after the other is killed while the others go on.

use std::io::Read as _;
use std::ops::Range;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use steadfast_tests::support::sqlite::{Place, Pool};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use self::sqlite::{clerk, inventory, open, resolve};
use super::books::Books;
use super::order::{Row, Told};
use super::{CLERKS, Doubts, ROOM};
use crate::campaign::Front;
use crate::report::Verdict;
use crate::settings::Settings;

/// Open at a time.
const BRANCHES: i64 = 4;

/// In each of them.
const STAFF: i64 = CLERKS / BRANCHES;

/// So much is acknowledged ahead of each kill.
const BETWEEN: u64 = 50;

/// Until the clerks have got that far, or have gone home: far more than either takes.
const PATIENCE: Duration = Duration::from_mins(1);

mod sqlite {
    use steadfast_tests::support::sqlite::{Db, Place, Pool, Session, sql};
    use steadfast_tests::support::{drop_at_poll, transient};

    counter!();
}

pub(super) async fn attack(front: Front) {
    let kills = if front.settings.short { 2 } else { 15 };
    let at_least = if front.settings.is_limited() {
        1
    } else {
        kills
    };
    for figure in ["kills of processes", "refused", "panicked", "nobody told"] {
        front.report.expect(figure, at_least);
    }
    let mut chance = front.settings.chance(("bank", "sqlite"));
    let place = Place::new().await;
    open(&place).await;
    let books = Arc::new(Mutex::new(Books::default()));
    let mut numbers = 0..;
    let mut found = || Branch::found(&front, &place, numbers.next().unwrap_or_default(), &books);
    let mut branches: Vec<Branch> = (0..BRANCHES).map(|_| found()).collect();
    for _ in 0..kills {
        if front.is_over() {
            break;
        }
        work_goes_on(&books).await;
        tokio::time::sleep(Duration::from_millis(chance.u64(..30))).await;
        let doomed = branches.swap_remove(chance.usize(..branches.len()));
        if doomed.kill().await {
            front.report.count("kills of processes", 1);
        }
        branches.push(found());
    }
    work_goes_on(&books).await;
    for branch in branches {
        branch.close(&front).await;
    }
    let (journal, balances) = inventory(&place).await;
    let books = books.lock().unwrap_or_else(PoisonError::into_inner);
    for fault in books.audit(&journal, &balances) {
        front.violation(fault);
    }
    books.report(&front.report);
}

/// Waits until orders have been acknowledged.
async fn work_goes_on(books: &Mutex<Books>) {
    let acknowledged = || {
        let books = books.lock().unwrap_or_else(PoisonError::into_inner);
        books.acknowledged()
    };
    let (before, began) = (acknowledged(), Instant::now());
    while acknowledged() < before + BETWEEN {
        assert!(began.elapsed() < PATIENCE, "the bank stands still");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A process, seen from the one that started it.
struct Branch {
    process: Child,
    reader: JoinHandle<()>,
}

impl Branch {
    fn found(front: &Front, place: &Place, number: i64, books: &Arc<Mutex<Books>>) -> Self {
        let work = Work {
            seed: front.settings.seed,
            first: number * STAFF * ROOM,
            url: place.url.clone(),
        };
        // With the same bug planted, if there is one.
        let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(std::env::args_os().skip(1))
            .args(["--branch", &work.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this program can be started again");
        let said = process.stdout.take().expect("its output is piped");
        let reader = tokio::spawn(note(said, Arc::clone(books)));
        Self { process, reader }
    }

    /// `kill -9`; whether it was running. What it has said until then counts.
    async fn kill(mut self) -> bool {
        let was_running = matches!(self.process.try_wait(), Ok(None));
        self.process.kill().await.expect("a child can be killed");
        self.reader.await.expect("the books are kept");
        was_running
    }

    /// Lets its clerks finish what they are at.
    async fn close(mut self, front: &Front) {
        drop(self.process.stdin.take());
        match tokio::time::timeout(PATIENCE, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            ended => front.violation(format_args!("a branch was to close: {ended:?}")),
        }
        self.reader.await.expect("the books are kept");
    }
}

async fn note(said: ChildStdout, books: Arc<Mutex<Books>>) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
        match line.parse() {
            Ok(Said::Begun(row, how)) => books.begin(row, how),
            Ok(Said::Told(id, told)) => books.tell(id, told),
            // A planted bug is announced, and so is the seed.
            Err(()) => {}
        }
    }
}

/// What a branch says, a line each.
enum Said {
    Begun(Row, String),
    Told(i64, Told),
}

impl FromStr for Said {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (word, rest) = line.split_once(' ').ok_or(())?;
        match word {
            "begun" => {
                let mut words = rest.splitn(5, ' ');
                let mut number = || words.next()?.parse().ok();
                let row = number()
                    .and_then(|id| Some((id, number()?, number()?, number()?)))
                    .ok_or(())?;
                Ok(Self::Begun(row, words.next().ok_or(())?.to_owned()))
            }
            "told" => {
                let (id, told) = rest.split_once(' ').ok_or(())?;
                Ok(Self::Told(id.parse().map_err(drop)?, told.parse()?))
            }
            _ => Err(()),
        }
    }
}

/// What a branch has to do.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    seed: u64,
    /// The first id of its orders.
    first: i64,
    url: String,
}

impl std::fmt::Display for Work {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {}", self.seed, self.first, self.url)
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().ok_or("a branch wants seed, id and URL");
        Ok(Self {
            seed: word()?.parse().map_err(|_| "no seed")?,
            first: word()?.parse().map_err(|_| "no id")?,
            url: word()?.to_owned(),
        })
    }
}

impl Work {
    /// Serves until nobody holds the other end of its input, or until it is killed.
    pub(crate) async fn run(self, settings: &Settings) -> Verdict {
        let builder = Pool::builder().primary(&self.url).max_connections(4);
        let pool = builder.connect().await.expect("the file is there");
        let is_closed = Arc::new(AtomicBool::new(false));
        std::thread::spawn({
            let is_closed = Arc::clone(&is_closed);
            move || {
                let _ = std::io::stdin().read(&mut [0]);
                is_closed.store(true, Ordering::Relaxed);
            }
        });
        let settings = Settings {
            seed: self.seed,
            ..settings.clone()
        };
        let clerks = (0..STAFF).map(|number| {
            let first = self.first + number * ROOM;
            tokio::spawn(serve(
                pool.clone(),
                first..first + ROOM,
                settings.chance(("bank", "sqlite", first)),
                Arc::clone(&is_closed),
            ))
        });
        for doubts in join_all(clerks.collect::<Vec<_>>()).await {
            resolve(&pool, doubts.expect("a clerk goes home"), tell).await;
        }
        if pool.close().await.is_clean() {
            Verdict::Holds
        } else {
            Verdict::Violated
        }
    }
}

async fn serve(
    pool: Pool,
    ids: Range<i64>,
    chance: fastrand::Rng,
    is_closed: Arc<AtomicBool>,
) -> Doubts {
    let begin = |order: super::order::Order| {
        let (id, from, to, cents) = order.row();
        println!("begun {id} {from} {to} {cents} {order:?}");
    };
    clerk(&pool, None, ids, chance, &is_closed, begin, tell).await
}

fn tell(id: i64, told: Told) {
    println!("told {id} {}", told.word());
}
