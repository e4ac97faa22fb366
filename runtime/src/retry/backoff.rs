//! How long to wait.

use std::time::Duration;

use super::policy::{Jitter, RetryPolicy};

impl RetryPolicy {
    /// The wait after the attempt of this number, counted from 1.
    pub(super) fn wait_after(&self, attempt: u32) -> Duration {
        let whole = self.ceiling_after(attempt);
        match self.chosen_jitter() {
            Jitter::Full => between(Duration::ZERO, whole),
            Jitter::Equal => between(whole / 2, whole),
            Jitter::None => whole,
        }
    }

    pub(super) fn ceiling_after(&self, attempt: u32) -> Duration {
        let times = self.growth().saturating_pow(attempt.saturating_sub(1));
        self.base_wait()
            .saturating_mul(times)
            .min(self.longest_wait())
    }
}

/// The pauses between attempts to reach a server: 100 ms at first and 5 s at most.
///
/// With decorrelated jitter each pause is drawn between the shortest and three times the last, so that the clients of a
/// server that was lost do not come back in step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reconnect {
    last: Duration,
}

impl Reconnect {
    const BASE: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(5);

    pub(crate) const fn new() -> Self {
        Self { last: Self::BASE }
    }

    pub(crate) fn pause(&mut self) -> Duration {
        self.last = between(Self::BASE, self.last * 3).min(Self::CAP);
        self.last
    }
}

/// A random duration, both ends included. Beyond 584 years, which no clock here reaches, it is cut.
fn between(least: Duration, most: Duration) -> Duration {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(fastrand::u64(nanos(least)..=nanos(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn exponential_waits_grow_up_to_the_cap() {
        let policy = RetryPolicy::exponential().jitter(Jitter::None);
        let waits: Vec<_> = (1..=9).map(|attempt| policy.wait_after(attempt)).collect();
        assert_eq!(
            waits,
            [10, 20, 40, 80, 160, 320, 640, 1000, 1000].map(millis)
        );
        assert_eq!(policy.wait_after(u32::MAX), millis(1000));
    }

    #[test]
    fn fixed_and_immediate_waits_stay_the_same() {
        for attempt in [1, 2, 40] {
            assert_eq!(
                RetryPolicy::fixed().wait_after(attempt),
                Duration::from_secs(1)
            );
            assert_eq!(
                RetryPolicy::fixed().base(millis(7)).wait_after(attempt),
                millis(7)
            );
            assert_eq!(
                RetryPolicy::immediate().base(millis(7)).wait_after(attempt),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn an_extreme_policy_does_not_overflow() {
        let policy = RetryPolicy::exponential()
            .base(Duration::MAX)
            .factor(u32::MAX);
        assert_eq!(policy.ceiling_after(u32::MAX), Duration::MAX);
        let _ = policy.wait_after(u32::MAX);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_uses_them() {
        for (jitter, least) in [(Jitter::Full, 0), (Jitter::Equal, 50)] {
            let policy = RetryPolicy::exponential()
                .base(millis(100))
                .cap(millis(100))
                .jitter(jitter);
            let waits: Vec<_> = (0..2000).map(|_| policy.wait_after(3)).collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| (millis(least)..=millis(100)).contains(wait)),
                "{jitter}"
            );
            let spread = waits
                .iter()
                .max()
                .unwrap()
                .abs_diff(*waits.iter().min().unwrap());
            assert!(
                spread > millis(100 - least) * 9 / 10,
                "{jitter}: {spread:?}"
            );
        }
    }

    #[test]
    fn reconnects_are_drawn_between_the_base_and_three_times_the_last() {
        let mut longest = Duration::ZERO;
        for _ in 0..200 {
            let mut reconnect = Reconnect::new();
            let mut last = Reconnect::BASE;
            for _ in 0..20 {
                let pause = reconnect.pause();
                assert!(
                    pause >= Reconnect::BASE && pause <= (last * 3).min(Reconnect::CAP),
                    "{last:?}, {pause:?}"
                );
                last = pause;
                longest = longest.max(pause);
            }
        }
        assert_eq!(longest, Reconnect::CAP);
    }
}
