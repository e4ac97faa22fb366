//! What is to be done once a session has ended.
//!
//! Hooks wait with the session and go wherever it goes, to the reaper too. A hook that runs stays here between two
//! polls: whoever stops waiting for it leaves it to the next one who has the session.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use super::registry::Entry;
use crate::backend::BoxFuture;
use crate::error::Outcome;

/// What a hook of a session may answer: nothing, or a `Result` whose error is logged and counted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer of a hook",
    label = "a hook answers nothing, or a `Result<(), _>` whose error can be shown",
    note = "nobody is left to take a value: end it with `;`, or with `.map(drop)` behind a `Result`"
)]
pub trait HookOutput {
    /// What went wrong, in words.
    #[doc(hidden)]
    fn failure(self) -> Option<String>;
}

impl HookOutput for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> HookOutput for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// One hook.
pub(crate) enum Hook {
    Commit(Task),
    Rollback(Task),
    End(Box<dyn FnOnce(Outcome) + Send>),
}

/// Answers with what went wrong.
pub(crate) struct Task(BoxFuture<'static, Option<String>>);

impl Task {
    pub(crate) fn new<F>(future: F) -> Self
    where
        F: Future<Output: HookOutput> + Send + 'static,
    {
        Self(Box::pin(async move { future.await.failure() }))
    }
}

/// What became of a hook that did not do what it was to do.
struct Failure {
    how: &'static str,
    /// What the user's own code said, which may hold values.
    words: Option<String>,
}

/// The hooks of one session, in the order in which they were given.
#[derive(Default)]
pub(super) struct Hooks {
    /// With the depth of the level that each was given in.
    waiting: Vec<(usize, Hook)>,
    running: Option<(&'static str, Task)>,
    decided: Option<Decided>,
}

/// How the session ended.
#[derive(Clone, Copy)]
struct Decided {
    outcome: Outcome,
    /// The body had ended well, so that its work was meant to stay.
    kept: bool,
}

impl Decided {
    fn commits(self) -> bool {
        self.kept && matches!(self.outcome, Outcome::Committed | Outcome::NotSent)
    }

    fn rolls_back(self) -> bool {
        match self.outcome {
            Outcome::RolledBack => true,
            Outcome::NotSent => !self.kept,
            Outcome::Committed | Outcome::Unknown => false,
        }
    }
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    pub(super) fn add(&mut self, depth: usize, hook: Hook) {
        self.waiting.push((depth, hook));
    }

    /// What deeper levels have given belongs to this one now.
    pub(super) fn keep(&mut self, depth: usize) {
        for (given_at, _) in &mut self.waiting {
            *given_at = depth.min(*given_at);
        }
    }

    /// Deeper levels are undone, and what they have given with them.
    pub(super) fn forget(&mut self, entry: &Entry, depth: usize) {
        let undone = self
            .waiting
            .extract_if(.., |(given_at, _)| *given_at > depth);
        for (_, hook) in undone.collect::<Vec<_>>() {
            match hook {
                Hook::Commit(task) => discard(entry, "on_commit", task),
                Hook::Rollback(task) => discard(entry, "on_rollback", task),
                Hook::End(hook) => discard(entry, "on_end", hook),
            }
        }
    }

    /// The first word on how the session ended holds.
    pub(super) fn decide(&mut self, outcome: Outcome, kept: bool) {
        self.decided.get_or_insert(Decided { outcome, kept });
    }

    /// Runs them one after the other.
    pub(super) fn poll(&mut self, entry: &Entry, context: &mut Context<'_>) -> Poll<()> {
        let Some(decided) = self.decided else {
            return Poll::Ready(());
        };
        loop {
            if let Some((_, task)) = &mut self.running {
                let polled = catch_unwind(AssertUnwindSafe(|| task.0.as_mut().poll(context)));
                let failure = match polled {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(failure)) => failure.map(failed),
                    Err(payload) => Some(panicked(payload)),
                };
                // It is over whatever follows: nobody may poll it again.
                if let Some((name, task)) = self.running.take() {
                    if let Some(failure) = failure {
                        report(entry, name, failure);
                    }
                    discard(entry, name, task);
                }
            }
            match self.next() {
                None => return Poll::Ready(()),
                Some(Hook::Commit(task)) if decided.commits() => {
                    self.running = Some(("on_commit", task));
                }
                Some(Hook::Rollback(task)) if decided.rolls_back() => {
                    self.running = Some(("on_rollback", task));
                }
                Some(Hook::Commit(task)) => discard(entry, "on_commit", task),
                Some(Hook::Rollback(task)) => discard(entry, "on_rollback", task),
                Some(Hook::End(hook)) => end(entry, hook, decided.outcome),
            }
        }
    }

    /// Does what can be done without a runtime: those that wait for something are reported as not run.
    pub(super) fn run_without_runtime(&mut self, entry: &Entry) {
        let Some(decided) = self.decided else {
            return;
        };
        if let Some((name, task)) = self.running.take() {
            report(entry, name, not_run("the runtime has shut down"));
            discard(entry, name, task);
        }
        while let Some(hook) = self.next() {
            let (name, task, was_due) = match hook {
                Hook::End(hook) => {
                    end(entry, hook, decided.outcome);
                    continue;
                }
                Hook::Commit(task) => ("on_commit", task, decided.commits()),
                Hook::Rollback(task) => ("on_rollback", task, decided.rolls_back()),
            };
            if was_due {
                report(entry, name, not_run("there is no runtime to run it on"));
            }
            discard(entry, name, task);
        }
    }

    fn next(&mut self) -> Option<Hook> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0).1)
    }
}

fn end(entry: &Entry, hook: Box<dyn FnOnce(Outcome) + Send>, outcome: Outcome) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(outcome))) {
        report(entry, "on_end", panicked(payload));
    }
}

/// What a hook holds may have a destructor that panics.
fn discard<T>(entry: &Entry, hook: &'static str, held: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(held))) {
        report(entry, hook, panicked(payload));
    }
}

/// The session is over: a failure of a hook undoes nothing, and nobody waits for it. What it said may hold a value or
/// SQL, as the words of a database do.
fn report(entry: &Entry, hook: &'static str, failure: Failure) {
    entry.operation.record_hook_failed();
    let Failure { how, words } = failure;
    let (operation, id) = (entry.operation.name(), entry.id);
    tracing::warn!(target: "steadfast::hooks", operation, id, hook, how, "a hook failed");
    if let Some(words) = words {
        tracing::debug!(target: "steadfast::hooks", operation, id, hook, words, "what a hook that failed has said");
    }
}

fn not_run(how: &'static str) -> Failure {
    Failure { how, words: None }
}

fn failed(words: String) -> Failure {
    Failure {
        how: "it answered an error",
        words: Some(words),
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let failure = Failure {
        how: "it panicked",
        words: text.map(str::to_owned),
    };
    // What was thrown may have a destructor that panics as well, and so may what that throws.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    failure
}
