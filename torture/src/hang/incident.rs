//! One call whose server falls silent: when it was back, and what it was told.

use std::fmt;
use std::time::Duration;

use steadfast::{Error, Outcome, SessionPool};
use steadfast_tests::support::{Lag, PROMISED, TOO_BUSY, forgiven};
use tokio::time::{Instant, sleep, timeout};

use super::phase::Phase;
use super::run::{COMMIT_TIMEOUT, Run};
use crate::campaign::Front;

/// A caller is back so long after its deadline at the latest.
const BACK: Duration = Duration::from_millis(100);
/// Timers tick in milliseconds, and a few of them follow one another.
const TICKS: Duration = Duration::from_millis(10);
/// In the short form other tests run beside it, on the servers too: who is late by no more than this has shown nothing.
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

    /// Whether it is shown that it was in time; it is a violation that it was not, and may be neither.
    pub(super) fn time(&self, front: &Front, what: impl fmt::Display, lag: &Lag) -> bool {
        let (phase, report) = (self.run.phase, &front.report);
        let Some(freed) = self.freed else {
            front.violation(format_args!("{what} {phase}: the slot never comes back"));
            return false;
        };
        let lag = lag.between(self.due - COMMIT_TIMEOUT, self.back.max(freed));
        let busy = if front.settings.short {
            BUSY
        } else {
            Duration::ZERO
        };
        let slack = TICKS + forgiven(lag);
        let late = self.back.saturating_duration_since(self.due);
        let held = freed.saturating_duration_since(self.due);
        report.greatest("ms of lag", millis(lag));
        if lag > TOO_BUSY {
            return false;
        }
        report.greatest("ms until a slot is free", millis(held));
        let has_caller = self.answer.is_some();
        if has_caller {
            report.greatest("ms behind a deadline", millis(late));
        }
        let later_than = |slack: Duration| {
            let caller = (has_caller && late > BACK + slack)
                .then(|| format!("the caller is back {late:?} after its deadline"));
            caller.or_else(|| {
                (held > PROMISED + slack).then(|| format!("the slot is free after {held:?}"))
            })
        };
        if let Some(late) = later_than(slack + busy) {
            front.violation(format_args!(
                "{what} {phase}: {late}, the lag {lag:?}: {self:?}"
            ));
        }
        later_than(slack).is_none()
    }

    /// Whether it has met what was to hold it up: whoever goes away has waited until then, and who waits for an answer
    /// until its deadline.
    pub(super) fn has_waited(&self) -> bool {
        match self.run.phase {
            phase if phase.is_given_up() => self.answer.is_none(),
            // Of what was held up there the answer says nothing.
            Phase::Rollback => true,
            _ => self.back + BACK >= self.due,
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
