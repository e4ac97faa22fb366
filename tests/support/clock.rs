//! tokio's clock in the hands of a test: what a server takes, or a busy machine, takes no time.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use futures_util::FutureExt as _;
use steadfast::{Backend, SessionPool, SessionStage};
use tokio::time::Instant;

use super::{PATIENCE, is_quiet, quiet, until};

/// The clock of this thread's runtime, until it is dropped.
pub struct Clock {
    still: Mutex<Option<Sender<()>>>,
}

impl Clock {
    /// Stops it. Needs a runtime of one thread, on which nobody but the test waits for its timers.
    pub fn stop() -> Self {
        let (still, moves) = channel();
        // tokio moves no clock while blocking work is under way. Whoever waits in vain gets it back.
        tokio::task::spawn_blocking(move || moves.recv_timeout(PATIENCE));
        tokio::time::pause();
        Self {
            still: Mutex::new(Some(still)),
        }
    }

    /// Moves it on while nobody else runs.
    pub fn skip(&self, by: Duration) {
        // The first poll moves it, a second one would only yield.
        let _ = tokio::time::advance(by).now_or_never();
    }

    /// From here on it goes from limit to limit as soon as all wait: nobody's answer comes in time.
    pub fn leap(&self) {
        self.still.lock().unwrap().take();
    }

    /// Waits until the condition holds, while the clock stands.
    pub async fn eventually<F: Future<Output = bool>>(
        &self,
        what: &str,
        condition: impl FnMut() -> F,
    ) {
        until(what, condition, nap).await;
    }

    /// From here on, for as long as this is polled, it goes at half its pace at the most, and at less on a busy
    /// machine: answers come in time, and limits are reached.
    pub async fn crawl(&self) -> ! {
        loop {
            nap().await;
            self.skip(Duration::from_millis(1));
        }
    }
}

/// Two milliseconds at the least, on no clock of tokio's.
async fn nap() {
    let (wake, woken) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(2));
        wake.send(())
    });
    let _ = woken.await;
}

impl Drop for Clock {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

/// A limit in milliseconds, and that each of a few timers may be a little late.
pub fn about(millis: u64) -> Range<Duration> {
    Duration::from_millis(millis)..Duration::from_millis(millis + 10)
}

/// The answer of a call whose deadline passes while `runs` is true of its statement. What it takes to stop that takes
/// no time, but for the moment in which it may still answer by itself.
pub async fn overdue_in_statement<DB, F, R>(
    pool: &SessionPool<DB>,
    deadline: Duration,
    runs: impl FnMut() -> R,
    call: F,
) -> F::Output
where
    DB: Backend,
    F: Future,
    R: Future<Output = bool>,
{
    let clock = Clock::stop();
    let deadline_passes = async {
        clock.eventually("the statement runs", runs).await;
        clock.skip(deadline + Duration::from_millis(1));
        let ends = || async {
            let sessions = pool.sessions();
            sessions
                .iter()
                .all(|session| session.stage == SessionStage::Ending)
        };
        clock.eventually("the session ends", ends).await;
        clock.skip(Duration::from_millis(10));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // The server has the deadline too, and its clock does not stand: it may be the one to end the statement.
        answer = call => answer,
        () = deadline_passes => unreachable!(),
    }
}

/// Waits until nobody holds anything of a pool, while the clock stands: the end of no limit is waited for.
pub async fn quiet_at_once<DB: Backend>(pool: &SessionPool<DB>) {
    let clock = Clock::stop();
    let what = "the pool is quiet at once";
    clock.eventually(what, || async { is_quiet(pool) }).await;
}

/// How long it takes at the most until nobody holds anything of a pool: every limit on the way is used up, so that
/// the figure is the same on a busy machine.
pub async fn quiet_at_last<DB: Backend>(pool: &SessionPool<DB>) -> Duration {
    let clock = Clock::stop();
    clock.leap();
    let began = Instant::now();
    quiet(pool).await;
    began.elapsed()
}

/// The answer of a call that from some point on does nothing but wait, and how long that took: the limits it waits for,
/// and nothing else.
pub async fn leaping<F: Future, R: Future<Output = bool>>(
    from: impl FnMut() -> R,
    call: F,
) -> (F::Output, Duration) {
    let clock = Clock::stop();
    let began = Instant::now();
    let leap = async {
        clock.eventually("the call has come so far", from).await;
        clock.leap();
    };
    let (answer, ()) = tokio::join!(call, leap);
    (answer, began.elapsed())
}
