//! How it is meant to be used, a page for each part.
//!
//! | page | what it answers |
//! |---|---|
//! | [`adopting`] | how a service that uses sqlx moves over, function by function, and what its helpers may go on doing |
//! | [`nesting`] | what a call inside of a call means |
//! | [`errors`] | what failed, and how that reaches an error type of yours |
//! | [`retry`] | what is tried again, when, and what no retry mends |
//! | [`outcomes`] | what the database has after a call, however it ended; hooks, the ledger |
//! | [`unknown`] | what to do when nobody knows whether the work is there |
//! | [`limits`] | what cannot be promised, and what to do about each |
//!
//! What an item promises stands at the item. What an option means stands at its macro:
//! [`with_session`](crate::with_session), [`retry`](macro@crate::retry),
//! [`db_error_handling`](crate::db_error_handling).

#[doc = include_str!("guide/adopting.md")]
///
/// [`SessionPool`]: crate::SessionPool
/// [`SessionSource`]: crate::SessionSource
/// [`Session::raw`]: crate::Session::raw
/// [`errors`]: errors
/// [`outcomes`]: outcomes
/// [`retry`]: mod@retry
pub mod adopting {}

#[doc = include_str!("guide/errors.md")]
///
/// [`Error`]: crate::Error
/// [`Category`]: crate::Category
/// [`Classify`]: crate::Classify
/// [`AttemptError`]: crate::AttemptError
/// [`OperationStats`]: crate::OperationStats
pub mod errors {}

#[doc = include_str!("guide/limits.md")]
///
/// [`outcomes`]: outcomes
pub mod limits {}

#[doc = include_str!("guide/nesting.md")]
///
/// [`Session::savepoint`]: crate::Session::savepoint
/// [`SessionSource`]: crate::SessionSource
pub mod nesting {}

#[doc = include_str!("guide/outcomes.md")]
///
/// [`Outcome`]: crate::Outcome
/// [`Error::resolve`]: crate::Error::resolve
/// [`SessionPool::install`]: crate::SessionPool::install
/// [`SessionPool::SCHEMA`]: crate::SessionPool::SCHEMA
/// [`SessionPool::forget_tokens`]: crate::SessionPool::forget_tokens
/// [`Session::idempotency_key`]: crate::Session::idempotency_key
/// [`CriticalEvent`]: crate::CriticalEvent
/// [`OperationStats`]: crate::OperationStats
pub mod outcomes {}

#[doc = include_str!("guide/retry.md")]
///
/// [`outcomes`]: outcomes
/// [`RetryBudget`]: crate::RetryBudget
/// [`Error::attempts`]: crate::Error::attempts
/// [`OperationStats`]: crate::OperationStats
pub mod retry {}

#[doc = include_str!("guide/unknown.md")]
///
/// [`Error::resolve`]: crate::Error::resolve
/// [`attempts`]: crate::Error::attempts
/// [`CriticalEvent`]: crate::CriticalEvent
pub mod unknown {}
