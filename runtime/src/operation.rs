//! The static of each annotated function: its name, its options, its counters.

mod counters;
mod lone;
mod named;
mod options;

use std::fmt;
use std::time::Duration;

use self::counters::Counters;
pub use self::counters::OperationStats;
pub use self::lone::LoneCall;
pub(crate) use self::named::named;
pub use self::options::{Nested, Options};
use crate::error::{Category, Outcome};
use crate::retry::RetryPolicy;

/// One annotated function, or one name given to [`SessionPool::session`](crate::SessionPool::session).
///
/// The attributes write a `static` of it beside the function and count every call there. A count is one atomic
/// addition.
pub struct Operation {
    name: &'static str,
    options: Options,
    policy: Option<RetryPolicy>,
    handles_errors: bool,
    counters: Counters,
}

/// What the attributes submit to the list behind [`operations`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered(pub &'static Operation);

inventory::collect!(Registered);

/// Every annotated function of the binary, in no particular order, also those that were never called; and every name
/// that [`SessionPool::session`](crate::SessionPool::session) or [`operation`](crate::SessionPool::operation) was
/// given, from its first use on.
///
/// ```
/// for operation in steadfast::operations() {
///     println!("{}: {} committed", operation.name(), operation.stats().committed);
/// }
/// ```
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    inventory::iter::<Registered>
        .into_iter()
        .map(|registered| registered.0)
        .chain(named::listed())
}

impl Operation {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            options: Options::new(),
            policy: None,
            handles_errors: false,
            counters: Counters::new(),
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Errors that leave the function pass through `handle`, which counts them.
    #[doc(hidden)]
    #[must_use]
    pub const fn handles_errors(mut self) -> Self {
        self.handles_errors = true;
        self
    }

    /// The loop of `#[retry]` on a function without a session.
    #[doc(hidden)]
    pub fn retrying(&'static self) -> LoneCall {
        self.retrying_with(self.policy.unwrap_or(RetryPolicy::none()))
    }

    /// The same with a policy that was made elsewhere.
    #[doc(hidden)]
    pub fn retrying_with(&'static self, policy: RetryPolicy) -> LoneCall {
        LoneCall::new(self, policy)
    }
}

impl Operation {
    /// Its name: `module::function`, or what `name = "…"` says.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its retry policy; none without `#[retry]`, and where `policy = …` makes one for each call.
    pub const fn policy(&self) -> Option<&RetryPolicy> {
        self.policy.as_ref()
    }

    /// What its calls have come to since the program started.
    ///
    /// Each figure is read by itself while calls go on, so two of them may be a call apart.
    pub fn stats(&self) -> OperationStats {
        self.counters.read()
    }

    pub(crate) const fn session_options(&self) -> &Options {
        &self.options
    }

    pub(crate) const fn does_handle_errors(&self) -> bool {
        self.handles_errors
    }

    /// A call began.
    pub(crate) fn record_started(&self) {
        self.counters.started();
    }

    /// A call makes another attempt, after a failure of this category.
    pub(crate) fn record_retried(&self, category: Category) {
        self.counters.retried(category);
    }

    /// A hook of one of its sessions failed.
    pub(crate) fn record_hook_failed(&self) {
        self.counters.hook_failed();
    }

    /// A call failed with this category. Said by `handle` alone; for all others
    /// [`record_ended`](Self::record_ended) does it.
    pub(crate) fn record_failed(&self, category: Category) {
        self.counters.failed(category);
    }

    /// A call that was [started](Self::record_started) is over. `nested` is one in a caller's session, which decides
    /// later what becomes of the work.
    pub(crate) fn record_ended(
        &self,
        outcome: Outcome,
        nested: bool,
        category: Option<Category>,
        cancelled: bool,
        panicked: bool,
        duration: Duration,
    ) {
        self.counters.ended(outcome, nested, duration);
        if cancelled {
            self.counters.cancelled();
        }
        if panicked {
            self.counters.panicked();
        }
        // An error that is returned goes on to `handle`; it is counted there, once.
        let returned = !cancelled && !panicked;
        if let Some(category) = category
            && !(self.handles_errors && returned)
        {
            self.counters.failed(category);
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Operation");
        shown.field("name", &self.name);
        if let Some(policy) = &self.policy {
            shown.field("policy", &format_args!("{policy}"));
        }
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
