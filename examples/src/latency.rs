//! How long calls took.

use std::time::Duration;

/// Every duration of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    sorted: Vec<Duration>,
}

impl Latency {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self { sorted: durations }
    }

    /// The time within which `percent` of the calls were done.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent).div_ceil(100);
        self.sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn longest(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(latency.percentile(50), Duration::from_millis(100));
        assert_eq!(latency.percentile(99), Duration::from_millis(198));
        assert_eq!(latency.percentile(100), latency.longest());
        assert_eq!(Latency::default().percentile(50), Duration::ZERO);
    }
}
