//! What the attributes of one function say together.

use super::Args;
use crate::diagnostics::Mistakes;
use crate::duration;
use crate::{retry, with_session};

/// Finds what one attribute says against another.
pub(super) fn check(args: &Args, mistakes: &Mistakes) {
    let Some(retry) = &args.retry else { return };
    verified(args.session.as_ref(), retry, mistakes);
    let Some(session) = &args.session else { return };
    repeated(session, retry, mistakes);
    outlasted(session, retry, mistakes);
}

/// Only a commit can be verified.
fn verified(session: Option<&with_session::Args>, retry: &retry::Args, mistakes: &Mistakes) {
    let Some(at) = retry.named("verify_commit") else {
        return;
    };
    let given = |option| session.is_some_and(|session| session.named(option).is_some());
    let (message, help) = if session.is_none() {
        (
            "`verify_commit` is about the commit of a session, and this function has none",
            "add `#[with_session]`, or leave out `verify_commit`",
        )
    } else if given("autocommit") {
        (
            "`verify_commit` is about the commit of a transaction, and with `autocommit` there is none",
            "leave out `verify_commit` or `autocommit`",
        )
    } else if given("read_only") {
        (
            "a `read_only` session leaves nothing behind that `verify_commit` could look for",
            "leave out `verify_commit`",
        )
    } else {
        return;
    };
    mistakes.push_with_help(at, message, help);
}

/// Without a transaction nothing undoes what a failed attempt did.
fn repeated(session: &with_session::Args, retry: &retry::Args, mistakes: &Mistakes) {
    let Some(at) = session.named("autocommit") else {
        return;
    };
    if retry.may_repeat() && retry.named("idempotent").is_none() {
        mistakes.push_with_help(
            at,
            "without a transaction a second attempt repeats what the first one did",
            "add `idempotent` to `#[retry]` if that is safe, or remove `autocommit`",
        );
    }
}

/// A retry ends with the deadline of its session.
fn outlasted(session: &with_session::Args, retry: &retry::Args, mistakes: &Mistakes) {
    let (Some(timeout), Some((within, at))) = (&session.timeout, &retry.within) else {
        return;
    };
    if *within > timeout.duration {
        let (within, timeout) = (duration::show(*within), duration::show(timeout.duration));
        mistakes.push_with_help(
            at,
            format!(
                "`within` of {within} is longer than `timeout` of {timeout}, which ends all attempts"
            ),
            "lower `within`, or leave it out",
        );
    }
}
