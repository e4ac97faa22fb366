//! What keeps retries from adding to the trouble of a server that is in some.

use crate::error::Category;
use crate::sync::AtomicU32;
use crate::sync::Ordering::Relaxed;

/// How many retries a pool allows while little succeeds: a bucket of tokens. A retry takes some, a call that succeeds
/// gives back: what its last retry took, or one token where it needed none. An empty bucket ends a call with the error
/// it has.
///
/// Conflicts and lock timeouts cost nothing: a database that reports them is well.
///
/// 500 tokens at 14 a retry let 35 retries through at once, and after that one for every 14 calls that succeed. Tokens
/// and refill are those of the AWS SDKs' standard mode.
///
/// ```
/// use steadfast::RetryBudget;
///
/// const STRICT: RetryBudget = RetryBudget::new(100, 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    tokens: u32,
    cost: u32,
}

impl RetryBudget {
    /// A full bucket of `tokens`, of which a retry takes `cost`.
    pub const fn new(tokens: u32, cost: u32) -> Self {
        Self { tokens, cost }
    }

    /// No limit but the policies' own.
    pub const fn unlimited() -> Self {
        Self::new(0, 0)
    }
}

impl Default for RetryBudget {
    /// 500 tokens, 14 a retry.
    fn default() -> Self {
        Self::new(500, 14)
    }
}

/// A pool's bucket. Its one number is all that calls share: relaxed is enough.
#[derive(Debug)]
pub(crate) struct Budget {
    rule: RetryBudget,
    left: AtomicU32,
}

impl Budget {
    pub(crate) fn new(rule: RetryBudget) -> Self {
        Self {
            rule,
            left: AtomicU32::new(rule.tokens),
        }
    }

    /// Whether a retry after this failure costs something.
    pub(crate) fn charges(category: Category) -> bool {
        !matches!(
            category,
            Category::Conflict | Category::LockTimeout | Category::Integrity(_)
        )
    }

    /// Takes what a retry costs; `false` where that much is not there.
    pub(crate) fn pay(&self) -> bool {
        let cost = self.rule.cost;
        self.left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(cost))
            .is_ok()
    }

    /// A call has succeeded, after a last retry that was paid for or without one.
    pub(crate) fn refill(&self, paid: bool) {
        let back = if paid { self.rule.cost } else { 1 };
        let most = self.rule.tokens;
        let _ = self.left.fetch_update(Relaxed, Relaxed, |left| {
            (left < most).then(|| left.saturating_add(back).min(most))
        });
    }
}
