//! One call whose server falls silent: when it was back, and what it was told.

use std::fmt;
use std::time::Duration;

use steadfast::{Error, Outcome, SessionPool};
use tokio::time::{Instant, sleep, timeout};

use super::lag::Lag;
use super::run::{COMMIT_TIMEOUT, Run};
use crate::campaign::Front;

/// A caller is back so long after its deadline at the latest.
const BACK: Duration = Duration::from_millis(100);
/// And its slot is.
const SLOT: Duration = Duration::from_secs(1);
/// Timers tick in milliseconds, and a few of them follow one another.
const TICKS: Duration = Duration::from_millis(10);
/// As many wakings follow one another, each of which may be as late as the latest that was seen.
const WAKINGS: u32 = 4;
/// In the short form machines are busy with other things: whoever is later has waited for something else.
const BUSY: Duration = Duration::from_secs(4);
/// A slot that is not back by then will not come.
const NEVER: Duration = Duration::from_secs(15);

/// What came of it.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) run: Run,
    due: Instant,
    back: Instant,
    /// `None`: there was nobody to be told.
    pub(super) answer: Option<Result<(), Error>>,
    freed: Option<Instant>,
}

impl Incident {
    /// A call that is back now; waits for its slot.
    pub(super) async fn note<DB: steadfast::Backend>(
        run: Run,
        due: Instant,
        answer: Option<Result<(), Error>>,
        pool: &SessionPool<DB>,
    ) -> Self {
        let back = Instant::now();
        let freed = async {
            while pool.stats().in_use > 0 {
                sleep(Duration::from_millis(2)).await;
            }
            Instant::now()
        };
        let freed = timeout(NEVER, freed).await.ok();
        Self {
            run,
            due,
            back,
            answer,
            freed,
        }
    }

    /// Whether it was in time.
    pub(super) fn time(&self, front: &Front, what: impl fmt::Display, lag: &Lag) {
        let (phase, report) = (self.run.phase, &front.report);
        let Some(freed) = self.freed else {
            front.violation(format_args!("{what} {phase}: the slot never comes back"));
            return;
        };
        let lag = lag.between(self.due - COMMIT_TIMEOUT, self.back.max(freed));
        let busy = if front.settings.short {
            BUSY
        } else {
            Duration::ZERO
        };
        let slack = TICKS + lag * WAKINGS + busy;
        let late = self.back.saturating_duration_since(self.due);
        let held = freed.saturating_duration_since(self.due);
        report.greatest("ms of lag", millis(lag));
        report.greatest("ms until a slot is free", millis(held));
        if held > SLOT + slack {
            front.violation(format_args!(
                "{what} {phase}: the slot is free after {held:?}, the lag {lag:?}: {self:?}"
            ));
        }
        if self.answer.is_none() {
            return;
        }
        report.greatest("ms behind a deadline", millis(late));
        if late > BACK + slack {
            front.violation(format_args!(
                "{what} {phase}: the caller is back {late:?} after its deadline, the lag {lag:?}: {self:?}"
            ));
        }
    }

    /// The outcome that its caller knows.
    pub(super) fn told(&self) -> Option<Outcome> {
        self.answer.as_ref().map(|answer| match answer {
            Ok(()) => Outcome::Committed,
            Err(error) => error.outcome(),
        })
    }

    /// Whether what was told is true: of its rows so many are there.
    pub(super) fn compare(&self, front: &Front, what: impl fmt::Display, there: i64) {
        let whole = self.run.whole();
        let is_true = |told: Outcome| match told {
            Outcome::Committed => there == whole,
            Outcome::NotSent | Outcome::RolledBack => there == 0,
            _ => there == 0 || there == whole,
        };
        let (told, ended) = (self.told(), self.run.seen.ended());
        if !(there == 0 || there == whole) || ![told, ended].into_iter().flatten().all(is_true) {
            front.violation(format_args!(
                "{what} {}: {there} rows of {whole} are there, told {told:?}, on_end {ended:?}: {self:?}",
                self.run.phase
            ));
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
