//! What keeps retries from adding to the trouble of a server that is in some.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::error::Category;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_empties_by_retries_and_fills_by_success() {
        let budget = Budget::new(RetryBudget::default());
        assert_eq!((0..100).filter(|_| budget.pay()).count(), 35, "500 / 14");
        budget.refill(true);
        assert!(budget.pay() && !budget.pay(), "what the retry took is back");
        for _ in 0..3 {
            budget.refill(false);
        }
        assert!(!budget.pay(), "10 left of the 500, and 3 more");
        for _ in 0..1000 {
            budget.refill(false);
        }
        assert_eq!(
            (0..100).filter(|_| budget.pay()).count(),
            35,
            "never more than full"
        );
    }

    #[test]
    fn without_a_limit_it_never_refuses() {
        let budget = Budget::new(RetryBudget::unlimited());
        assert!((0..10_000).all(|_| budget.pay()));
    }

    #[test]
    fn what_a_healthy_database_reports_is_free() {
        assert!(!Budget::charges(Category::Conflict));
        assert!(!Budget::charges(Category::LockTimeout));
        assert!(Budget::charges(Category::Connection));
        assert!(Budget::charges(Category::Capacity));
    }
}
