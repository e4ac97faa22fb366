//! How late this machine wakes whoever sleeps. What is later than that is the product's doing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

const NAP: Duration = Duration::from_millis(5);
/// What is kept: more than any round takes.
const NAPS: usize = 20_000;

/// Those who sleep beside the calls, and how long after their time they woke.
#[derive(Clone, Debug, Default)]
pub struct Lag(Arc<Mutex<VecDeque<(Instant, Duration)>>>);

impl Lag {
    /// Runs the calls with one sleeper in their own task, and one in another: the calls run here, and what they leave
    /// behind runs there.
    pub async fn beside(&self, calls: impl Future<Output = ()>) {
        let elsewhere = tokio::spawn({
            let lag = self.clone();
            async move { lag.sleeps().await }
        });
        tokio::select! {
            () = calls => {}
            () = self.sleeps() => {}
        }
        elsewhere.abort();
    }

    async fn sleeps(&self) {
        loop {
            let began = Instant::now();
            sleep(NAP).await;
            let woken = Instant::now();
            let mut naps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            naps.push_back((woken, (woken - began).saturating_sub(NAP)));
            if naps.len() > NAPS {
                naps.pop_front();
            }
        }
    }

    /// The longest of those who woke between these.
    pub fn between(&self, then: Instant, until: Instant) -> Duration {
        let naps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let meanwhile = naps
            .iter()
            .filter(|(woken, _)| (then..=until + NAP).contains(woken));
        meanwhile.map(|(_, lag)| *lag).max().unwrap_or_default()
    }
}
