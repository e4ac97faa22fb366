//! Many tasks that ask for transfers at once, and what became of each call.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::bank::ACCOUNTS;
use crate::chaos::{self, Ending, Mischief, Order, Usual, hush_planned_panics};
use crate::latency::Latency;
use crate::{Args, Leftover};

/// A branch of the bank: one way to run a transfer against the database.
pub trait Branch: Send + Sync + 'static {
    /// Moves the money, writes the journal, and tries to leave a memo.
    fn transfer(&self, order: Order) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Writes down, in autocommit, that a transfer did not go through: what the next user of a connection does.
    fn note_incident(&self, transfer: i64) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// How often transfers were started over, by cause.
    fn retries(&self) -> BTreeMap<String, u64>;

    /// What the branch itself still holds.
    fn leftovers(&self) -> Vec<Leftover>;
}

/// Why a transfer was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account has less than that.
    TooLittleMoney,
    /// The call was made to fail.
    OnPurpose,
    /// The database refused, also after all attempts; the transfer is promised not to be there.
    Database(String),
    /// Nobody knows: the answer to COMMIT did not come.
    InDoubt(String),
}

/// What became of a call, as its caller saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// `Ok`.
    Committed,
    /// Not enough money in the account.
    TooLittleMoney,
    /// Made to fail.
    Failed,
    /// Made to panic.
    Panicked,
    /// Its future was dropped.
    Dropped,
    /// An error of the database.
    Database(String),
    /// An error that leaves open what became of it.
    InDoubt(String),
    /// A panic that was not planned.
    Bug,
    /// No answer: nothing moved any more, for any task.
    Stuck,
}

/// How often something was started over, by cause.
#[derive(Debug, Default)]
pub struct Retries(Mutex<BTreeMap<String, u64>>);

impl Retries {
    /// Counts one.
    pub fn count(&self, cause: &str) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(cause.to_owned())
            .or_default() += 1;
    }

    /// All of them.
    pub fn by_cause(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Everything that the callers saw.
#[derive(Debug, Default)]
pub struct Tally {
    pub(crate) fates: BTreeMap<Fate, u64>,
    /// `Ok` came back: each has to be there, once.
    pub(crate) acknowledged: Vec<i64>,
    /// An error or a panic came back: none may be there.
    pub(crate) refused: Vec<i64>,
    /// Incidents whose insert answered `Ok`.
    pub(crate) incidents: Vec<i64>,
    /// Calls that something was done to.
    pub(crate) struck: u64,
    pub(crate) latency: Latency,
    pub(crate) took: Duration,
}

#[derive(Default)]
struct Share {
    calls: Vec<(i64, Fate, Duration)>,
    incidents: Vec<i64>,
    struck: u64,
}

struct Plan {
    seed: u64,
    chaos: u8,
    transfers: u64,
    next: AtomicU64,
    usual: Usual,
    bar: ProgressBar,
    stuck: watch::Sender<bool>,
}

/// So long nothing may be answered, to any task, before the run is ended.
const STUCK_AFTER: Duration = Duration::from_secs(10);

impl Plan {
    fn next(&self) -> Option<Order> {
        let index = self.next.fetch_add(1, Relaxed);
        (index < self.transfers).then(|| self.order(index))
    }

    /// The same for a seed and an index, whichever task comes to it.
    fn order(&self, index: u64) -> Order {
        let mut rng =
            fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index);
        // One in four orders touches one of five accounts that everybody uses.
        let from = if rng.u8(0..4) == 0 {
            rng.i64(1..=5)
        } else {
            rng.i64(1..=ACCOUNTS)
        };
        let to = (from - 1 + rng.i64(1..ACCOUNTS)) % ACCOUNTS + 1;
        Order {
            id: i64::try_from(index).unwrap_or(i64::MAX),
            from,
            to,
            cents: rng.i64(1..=1_500),
            mischief: Mischief::draw(&mut rng, self.chaos),
        }
    }
}

/// Runs all transfers, with a progress bar.
///
/// # Panics
/// If a task of the workload itself panics.
pub async fn run<B: Branch>(branch: Arc<B>, args: &Args) -> Tally {
    hush_planned_panics();
    let plan = Arc::new(Plan {
        seed: args.seed(),
        chaos: args.chaos,
        transfers: args.transfers,
        next: AtomicU64::new(0),
        usual: Usual::default(),
        bar: progress_bar(args.transfers),
        stuck: watch::Sender::new(false),
    });
    let guard = tokio::spawn(end_if_stuck(Arc::clone(&plan)));
    let started = Instant::now();
    let tasks: Vec<_> = (0..args.tasks)
        .map(|_| tokio::spawn(work(Arc::clone(&branch), Arc::clone(&plan))))
        .collect();
    let mut tally = Tally::default();
    let mut durations = Vec::new();
    for task in tasks {
        let share = task.await.expect("a task of the workload panicked");
        tally.incidents.extend(share.incidents);
        tally.struck += share.struck;
        for (id, fate, took) in share.calls {
            match fate {
                Fate::Committed => {
                    tally.acknowledged.push(id);
                    durations.push(took);
                }
                Fate::Dropped | Fate::InDoubt(_) | Fate::Stuck => {}
                _ => tally.refused.push(id),
            }
            *tally.fates.entry(fate).or_default() += 1;
        }
    }
    guard.abort();
    tally.took = started.elapsed();
    tally.latency = Latency::of(durations);
    plan.bar.finish_and_clear();
    tally
}

async fn work<B: Branch>(branch: Arc<B>, plan: Arc<Plan>) -> Share {
    let mut share = Share::default();
    let mut stuck = plan.stuck.subscribe();
    // What was planned for calls that ended first.
    let mut escaped = VecDeque::new();
    while let Some(mut order) = plan.next() {
        if order.mischief == Mischief::None {
            order.mischief = escaped.pop_front().unwrap_or(Mischief::None);
        }
        let started = Instant::now();
        let (fate, was_struck) = tokio::select! {
            ended = call(branch.as_ref(), &plan, order, &mut share.incidents) => ended,
            _ = stuck.wait_for(|stuck| *stuck) => (Fate::Stuck, false),
        };
        if was_struck {
            share.struck += 1;
        } else if order.mischief != Mischief::None {
            escaped.push_back(order.mischief.sooner());
        }
        let gone = fate == Fate::Stuck;
        share.calls.push((order.id, fate, started.elapsed()));
        if gone {
            break;
        }
        plan.bar.inc(1);
    }
    share
}

/// One call, and the note about it if it did not go through. Says also whether something was done to it.
async fn call<B: Branch>(
    branch: &B,
    plan: &Plan,
    order: Order,
    incidents: &mut Vec<i64>,
) -> (Fate, bool) {
    let started = Instant::now();
    let watched = chaos::watch(branch.transfer(order), order.mischief, &plan.usual).await;
    let fate = match watched.ending {
        Ending::Answered(Ok(())) => Fate::Committed,
        Ending::Answered(Err(Refusal::TooLittleMoney)) => Fate::TooLittleMoney,
        Ending::Answered(Err(Refusal::OnPurpose)) => Fate::Failed,
        Ending::Answered(Err(Refusal::Database(cause))) => Fate::Database(cause),
        Ending::Answered(Err(Refusal::InDoubt(cause))) => Fate::InDoubt(cause),
        Ending::Panicked { on_purpose: true } => Fate::Panicked,
        Ending::Panicked { on_purpose: false } => Fate::Bug,
        Ending::Dropped => Fate::Dropped,
    };
    let was_struck =
        watched.memo_dropped || matches!(fate, Fate::Dropped | Fate::Panicked | Fate::Failed);
    match fate {
        Fate::Committed => plan.usual.learn(watched.polls, started.elapsed()),
        Fate::TooLittleMoney => {}
        _ => {
            if branch.note_incident(order.id).await.is_ok() {
                incidents.push(order.id);
            }
        }
    }
    (fate, was_struck)
}

async fn end_if_stuck(plan: Arc<Plan>) {
    let mut position = plan.bar.position();
    let mut moved = Instant::now();
    while moved.elapsed() < STUCK_AFTER {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if plan.bar.position() != position {
            position = plan.bar.position();
            moved = Instant::now();
        }
    }
    plan.stuck.send_replace(true);
}

fn progress_bar(transfers: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  {bar:40.cyan/dim} {human_pos}/{human_len} transfers · {per_sec} · {elapsed}",
    )
    .expect("the template is right")
    .progress_chars("━╸─")
    .with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        },
    );
    ProgressBar::new(transfers).with_style(style)
}
