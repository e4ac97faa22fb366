//! The budget, one call after the other; `torture/tests/loom` has several at once.

use super::budget::{Budget, RetryBudget};
use crate::error::Category;

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
