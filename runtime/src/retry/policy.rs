//! What the user chose: how often, how soon, and after what.

use std::fmt;
use std::time::Duration;

use crate::error::{Category, Kind};

/// When a call that failed is tried again.
///
/// An attempt runs the whole body in a new session; the failed one is rolled back, and its connection back in the pool,
/// before the wait begins. What is retried: errors that are [transient](Category::is_transient), and those the policy
/// was widened to, as long as it is certain that nothing was applied. An [`Unknown`](crate::error::Outcome::Unknown)
/// outcome is never retried, unless [`verify_commit`](Self::verify_commit) has proven that nothing was applied, or the
/// work is declared [`idempotent`](Self::idempotent).
///
/// | | `exponential` | `fixed` | `immediate` | `none` |
/// |---|---|---|---|---|
/// | attempts in all | 5 | 5 | 5 | 1 |
/// | first wait | 10 ms | 1 s | none | |
/// | then | × 2, up to 1 s | the same | none | |
/// | jitter | full | none | | |
///
/// Waits after a lost connection are the pool's and the same for every policy: 100 ms at first, 5 s at most, with
/// decorrelated jitter.
///
/// ```
/// use std::time::Duration;
/// use steadfast::RetryPolicy;
///
/// const HOT_ROWS: RetryPolicy = RetryPolicy::exponential().max(10).cap(Duration::from_millis(500));
/// assert_eq!(
///     HOT_ROWS.to_string(),
///     "exponential, max 10, base 10 ms, cap 500 ms, factor 2, full jitter"
/// );
/// ```
///
/// The builder runs at compile time. A policy that contradicts itself does not compile as a constant, and panics where
/// it is made at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub(super) strategy: Strategy,
    max: u32,
    base: Option<Duration>,
    cap: Option<Duration>,
    factor: u32,
    jitter: Jitter,
    within: Option<Duration>,
    unknown: Unknown,
    /// A bit for each category, at its index.
    also: u32,
}

/// How the waits develop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    Exponential,
    Fixed,
    Immediate,
    None,
}

/// What is done where nobody knows whether the work was committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The ledger is asked.
    pub(crate) verify: bool,
    /// The work is repeated where it remains unknown.
    pub(crate) repeat: bool,
}

/// How far chance shortens a wait, so that calls that failed together do not meet again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything between nothing and the whole wait.
    Full,
    /// At least half of the wait.
    Equal,
    /// The whole wait.
    None,
}

const _: () = assert!(
    Category::ALL.len() <= u32::BITS as usize,
    "a category has no bit in `also`"
);

impl RetryPolicy {
    const fn new(strategy: Strategy, max: u32, jitter: Jitter) -> Self {
        Self {
            strategy,
            max,
            base: None,
            cap: None,
            factor: 2,
            jitter,
            within: None,
            unknown: Unknown {
                verify: false,
                repeat: false,
            },
            also: 0,
        }
    }

    /// Waits that grow: `base`, `base × factor`, and so on up to `cap`, with full jitter.
    pub const fn exponential() -> Self {
        Self::new(Strategy::Exponential, 5, Jitter::Full)
    }

    /// The same wait each time: `base`, 1 s unless set, without jitter.
    pub const fn fixed() -> Self {
        Self::new(Strategy::Fixed, 5, Jitter::None)
    }

    /// No wait, except after a lost connection.
    pub const fn immediate() -> Self {
        Self::new(Strategy::Immediate, 5, Jitter::None)
    }

    /// One attempt.
    pub const fn none() -> Self {
        Self::new(Strategy::None, 1, Jitter::None)
    }

    /// Attempts in all, the first included.
    ///
    /// # Panics
    ///
    /// If `attempts` is 0, or this is [`none`](Self::none) and `attempts` is not 1.
    #[must_use]
    pub const fn max(mut self, attempts: u32) -> Self {
        assert!(
            attempts > 0,
            "`max` counts the first attempt too, so it cannot be `0`; use `1` to run once"
        );
        assert!(
            attempts == 1 || !matches!(self.strategy, Strategy::None),
            "`none` makes one attempt, so it takes no `max`; choose `exponential`, `fixed` or `immediate`"
        );
        self.max = attempts;
        self
    }

    /// The first wait.
    ///
    /// # Panics
    ///
    /// If it is longer than a `cap` that was set.
    #[must_use]
    pub const fn base(mut self, wait: Duration) -> Self {
        self.base = Some(wait);
        self.in_order()
    }

    /// The longest wait; without it 1 s, or `base` where that is longer.
    ///
    /// # Panics
    ///
    /// If it is shorter than a `base` that was set.
    #[must_use]
    pub const fn cap(mut self, wait: Duration) -> Self {
        self.cap = Some(wait);
        self.in_order()
    }

    /// By what an exponential wait grows.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub const fn factor(mut self, factor: u32) -> Self {
        assert!(
            factor > 0,
            "`factor` multiplies the wait, so it cannot be `0`; use `fixed` for equal waits"
        );
        self.factor = factor;
        self
    }

    /// How far chance shortens a wait.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// No attempt starts later than this after the call began; where the wait would pass it, the call answers at once.
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Asks the ledger where no answer to COMMIT came, so that the call knows: committed, it answers with the body's
    /// value; not committed, it is tried again. The commit carries a token into a table of the database itself, at no
    /// round trip of its own; [`SessionPool::install`](crate::SessionPool::install) makes that table.
    #[must_use]
    pub const fn verify_commit(mut self) -> Self {
        self.unknown.verify = true;
        self
    }

    /// Says that the work may be done twice: it is tried again also where nobody knows whether it was committed.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.unknown.repeat = true;
        self
    }

    /// Retries this category too. What may have been applied is still not retried.
    #[must_use]
    pub const fn also(mut self, category: Category) -> Self {
        self.also |= 1 << category.index();
        self
    }

    /// [`also`](Self::also) by the words of `on(…)`.
    #[doc(hidden)]
    #[must_use]
    pub const fn on(mut self, kinds: &'static [Kind]) -> Self {
        let mut kind = 0;
        while kind < kinds.len() {
            let mut at = 0;
            while at < Category::ALL.len() {
                if kinds[kind].matches(Category::ALL[at]) {
                    self = self.also(Category::ALL[at]);
                }
                at += 1;
            }
            kind += 1;
        }
        self
    }

    const fn in_order(self) -> Self {
        if let (Some(base), Some(cap)) = (self.base, self.cap) {
            assert!(
                base.as_nanos() <= cap.as_nanos(),
                "`base` is the first wait and `cap` the longest, so `base` cannot exceed `cap`; raise `cap` or lower `base`"
            );
        }
        self
    }
}

impl RetryPolicy {
    /// Attempts in all, the first included.
    pub const fn max_attempts(&self) -> u32 {
        self.max
    }

    /// The first wait, before jitter.
    pub fn base_wait(&self) -> Duration {
        let base = self.base.unwrap_or(match self.strategy {
            Strategy::Exponential => Duration::from_millis(10),
            Strategy::Fixed => Duration::from_secs(1),
            Strategy::Immediate | Strategy::None => return Duration::ZERO,
        });
        self.cap.map_or(base, |cap| base.min(cap))
    }

    /// The longest wait.
    pub fn longest_wait(&self) -> Duration {
        let base = self.base_wait();
        match self.strategy {
            Strategy::Exponential => self.cap.unwrap_or(base.max(Duration::from_secs(1))),
            Strategy::Fixed | Strategy::Immediate | Strategy::None => base,
        }
    }

    /// By what an exponential wait grows.
    pub const fn growth(&self) -> u32 {
        match self.strategy {
            Strategy::Exponential => self.factor,
            Strategy::Fixed | Strategy::Immediate | Strategy::None => 1,
        }
    }

    /// How far chance shortens a wait.
    pub const fn chosen_jitter(&self) -> Jitter {
        self.jitter
    }

    /// After which time no further attempt starts.
    pub const fn time_limit(&self) -> Option<Duration> {
        self.within
    }

    pub(crate) const fn unknown(&self) -> Unknown {
        self.unknown
    }

    /// Whether an error of this category was asked to be retried beyond those that are transient.
    pub const fn is_widened_to(&self, category: Category) -> bool {
        self.also & (1 << category.index()) != 0
    }
}

impl Default for RetryPolicy {
    /// What a bare `#[retry]` means: [`exponential`](RetryPolicy::exponential).
    fn default() -> Self {
        Self::exponential()
    }
}

impl Jitter {
    /// The word for it in the attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Equal => "equal",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Span(self.base_wait());
        match self.strategy {
            Strategy::None => return f.write_str("none"),
            Strategy::Immediate => write!(f, "immediate, max {}", self.max)?,
            Strategy::Fixed => write!(f, "fixed, max {}, base {base}", self.max)?,
            Strategy::Exponential => {
                let cap = Span(self.longest_wait());
                write!(
                    f,
                    "exponential, max {}, base {base}, cap {cap}, factor {}",
                    self.max, self.factor
                )?;
            }
        }
        match (self.strategy, self.jitter) {
            (Strategy::Immediate, _) | (Strategy::Fixed, Jitter::None) => {}
            (_, Jitter::None) => f.write_str(", no jitter")?,
            (_, jitter) => write!(f, ", {jitter} jitter")?,
        }
        if let Some(within) = self.within {
            write!(f, ", within {}", Span(within))?;
        }
        let mut also = Category::ALL
            .into_iter()
            .filter(|&category| self.is_widened_to(category));
        if let Some(first) = also.next() {
            write!(f, ", also on {first}")?;
            also.try_for_each(|category| write!(f, ", {category}"))?;
        }
        if self.unknown.verify {
            f.write_str(", verify_commit")?;
        }
        if self.unknown.repeat {
            f.write_str(", idempotent")?;
        }
        Ok(())
    }
}

/// A duration in the largest unit that shows it whole.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        match units
            .into_iter()
            .find(|(unit, _)| nanos.is_multiple_of(*unit))
        {
            Some((unit, name)) => write!(f, "{} {name}", nanos / unit),
            None => write!(f, "{nanos} ns"),
        }
    }
}

#[cfg(test)]
mod tests;
