//! What is done to a call, drawn from the seed before the call starts. A call that ends before it is done hands it on.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

/// One transfer as a caller asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Chosen by the caller, so that it can be found again afterwards.
    pub id: i64,
    /// The account that pays.
    pub from: i64,
    /// The account that is paid.
    pub to: i64,
    /// How much.
    pub cents: i64,
    /// What is done to the call.
    pub mischief: Mischief,
}

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mischief {
    /// Nothing.
    None,
    /// Its future is dropped after this share of the polls that a call usually takes.
    DropAfterPolls(f64),
    /// Its future is dropped after this share of the time that a call usually takes.
    DropAfterTime(f64),
    /// Its body panics at this step.
    Panic(Step),
    /// Its body fails at this step.
    Fail(Step),
    /// The call that it makes inside its own transaction is dropped after so many polls.
    DropMemo(u64),
}

/// The places in the body of a transfer at which it may be made to panic or to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The payer has paid, the payee has nothing yet.
    Debited,
    /// Both are right, the journal knows nothing of it.
    Credited,
    /// All is written, nothing is committed.
    Written,
}

/// What a body that is made to fail returns, and what one that is made to panic panics with.
#[derive(Clone, Copy, Debug)]
pub struct OnPurpose;

impl Mischief {
    /// Draws what happens to one call: anything at all in `percent` of them.
    pub(crate) fn draw(rng: &mut fastrand::Rng, percent: u8) -> Self {
        if rng.u8(0..100) >= percent {
            return Self::None;
        }
        let step = [Step::Debited, Step::Credited, Step::Written][rng.usize(0..3)];
        match rng.u8(0..8) {
            0 | 1 => Self::DropAfterPolls(rng.f64()),
            2 => Self::DropAfterTime(rng.f64()),
            3 | 4 => Self::Panic(step),
            5 | 6 => Self::Fail(step),
            _ => Self::DropMemo(rng.u64(1..=6)),
        }
    }

    /// The same for another call, when the one that it was meant for ended first.
    pub(crate) fn sooner(self) -> Self {
        match self {
            Self::DropAfterPolls(share) => Self::DropAfterPolls(share / 2.0),
            Self::DropAfterTime(share) => Self::DropAfterTime(share / 2.0),
            Self::DropMemo(polls) => Self::DropMemo(polls.div_ceil(2)),
            other => other,
        }
    }

    /// Stands in the body of a transfer.
    ///
    /// # Errors
    /// If this call is to fail at this step.
    ///
    /// # Panics
    /// If this call is to panic at this step.
    pub fn strike(self, step: Step) -> Result<(), OnPurpose> {
        match self {
            Self::Fail(at) if at == step => Err(OnPurpose),
            Self::Panic(at) if at == step => std::panic::panic_any(OnPurpose),
            _ => Ok(()),
        }
    }

    /// Runs a nested call, or drops it half-way if that is the plan; `None` then. It is what a
    /// `tokio::time::timeout` around the nested call does, at a point that the seed decides.
    pub async fn lose_patience<T>(self, nested: impl Future<Output = T>) -> Option<T> {
        let Self::DropMemo(patience) = self else {
            return Some(nested.await);
        };
        let answer = {
            let mut nested = pin!(nested);
            let mut polls = 0;
            poll_fn(|context| match nested.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => {
                    polls += 1;
                    if polls < patience {
                        Poll::Pending
                    } else {
                        Poll::Ready(None)
                    }
                }
            })
            .await
        };
        if answer.is_none() {
            MEMOS_DROPPED.fetch_add(1, Relaxed);
            let _ = MEMO_DROPPED.try_with(|dropped| dropped.set(true));
        }
        answer
    }
}

tokio::task_local! {
    /// Whether the call that runs in this task has lost its nested call.
    static MEMO_DROPPED: Cell<bool>;
}

/// Nested calls that were dropped before they answered.
static MEMOS_DROPPED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn memos_dropped() -> u64 {
    MEMOS_DROPPED.load(Relaxed)
}

/// What was seen of a call from outside.
pub(crate) struct Watched<T> {
    pub(crate) ending: Ending<T>,
    pub(crate) polls: u64,
    pub(crate) memo_dropped: bool,
}

/// How a call ended.
pub(crate) enum Ending<T> {
    Answered(T),
    Panicked { on_purpose: bool },
    Dropped,
}

/// What a call usually takes, learned while the calls run.
#[derive(Debug, Default)]
pub(crate) struct Usual {
    polls: AtomicU64,
    micros: AtomicU64,
}

impl Usual {
    pub(crate) fn learn(&self, polls: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Two tasks may overwrite each other's step; an average does not mind.
        let step = |mean: &AtomicU64, value: u64| {
            let old = mean.load(Relaxed);
            mean.store(
                if old == 0 {
                    value
                } else {
                    (old * 15 + value) / 16
                },
                Relaxed,
            );
        };
        step(&self.polls, polls);
        step(&self.micros, micros);
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small number"
    )]
    fn share(mean: &AtomicU64, floor: u64, share: f64) -> u64 {
        (mean.load(Relaxed).max(floor) as f64 * share).ceil() as u64
    }
}

/// Polls `call` until it answers, panics, or has to be dropped.
pub(crate) async fn watch<T>(
    call: impl Future<Output = T>,
    mischief: Mischief,
    usual: &Usual,
) -> Watched<T> {
    let watched = async {
        let (ending, polls) = poll_until_its_end(call, mischief, usual).await;
        Watched {
            ending,
            polls,
            memo_dropped: MEMO_DROPPED.with(Cell::get),
        }
    };
    MEMO_DROPPED.scope(Cell::new(false), watched).await
}

async fn poll_until_its_end<T>(
    call: impl Future<Output = T>,
    mischief: Mischief,
    usual: &Usual,
) -> (Ending<T>, u64) {
    let most_polls = match mischief {
        Mischief::DropAfterPolls(share) => Usual::share(&usual.polls, 8, share),
        _ => u64::MAX,
    };
    let patience = match mischief {
        Mischief::DropAfterTime(share) => {
            Duration::from_micros(Usual::share(&usual.micros, 1000, share))
        }
        _ => Duration::from_hours(1),
    };
    let mut patience = pin!(tokio::time::sleep(patience));
    let mut call = pin!(call);
    let mut polls = 0;
    let ending = poll_fn(|context| {
        polls += 1;
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
            Ok(Poll::Ready(answer)) => return Poll::Ready(Ending::Answered(answer)),
            Ok(Poll::Pending) => {}
            Err(payload) => {
                return Poll::Ready(Ending::Panicked {
                    on_purpose: payload.is::<OnPurpose>(),
                });
            }
        }
        if polls >= most_polls || patience.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ending::Dropped);
        }
        Poll::Pending
    })
    .await;
    // `call` is dropped here, in whatever state it is.
    (ending, polls)
}

/// Keeps the panics that are part of the plan from the terminal; any other is shown as always.
pub(crate) fn hush_planned_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload().is::<OnPurpose>() {
            usual(panic);
        }
    }));
}
