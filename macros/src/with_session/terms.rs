//! What a session is asked for, each option held against the others.

use std::time::Duration;

use proc_macro2::Ident;

use super::args::{Args, Limit};
use crate::diagnostics::Mistakes;
use crate::duration;

pub(crate) struct Terms {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) read_only: bool,
    pub(crate) autocommit: bool,
    pub(crate) nested: Nested,
    pub(crate) timeout: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
}

pub(crate) struct Isolation {
    /// The name of the level in the runtime.
    pub(crate) level: &'static str,
    /// The word as the user wrote it.
    pub(crate) at: Ident,
}

/// The level that every database has.
pub(super) const STRICTEST: &str = "Serializable";

/// What becomes of a caller's session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nested {
    Savepoint,
    Join,
    Never,
}

pub(super) fn decide(args: &Args, mistakes: &Mistakes) -> Terms {
    if args.named("autocommit").is_some() {
        against_autocommit(args, mistakes);
    }
    if let (Some(nested), Some(_)) = (args.named("nested"), args.named("pool")) {
        mistakes.push_with_help(
            nested,
            "`nested` means nothing here: with `pool` each call has a session of its own",
            "leave it out",
        );
    }
    let limit = |limit: &Option<Limit>| limit.as_ref().map(|limit| limit.duration);
    against_limits(args, mistakes);
    Terms {
        isolation: args.isolation.clone().map(isolation),
        read_only: args.named("read_only").is_some(),
        autocommit: args.named("autocommit").is_some(),
        nested: args.nested.as_ref().map_or(Nested::Savepoint, nested),
        timeout: limit(&args.timeout),
        lock_timeout: limit(&args.lock_timeout),
        statement_timeout: limit(&args.statement_timeout),
    }
}

fn isolation(at: Ident) -> Isolation {
    let level = if at == "read_committed" {
        "ReadCommitted"
    } else if at == "repeatable_read" {
        "RepeatableRead"
    } else {
        STRICTEST
    };
    Isolation { level, at }
}

fn nested(word: &Ident) -> Nested {
    if word == "join" {
        Nested::Join
    } else if word == "never" {
        Nested::Never
    } else {
        Nested::Savepoint
    }
}

/// What only a transaction can give.
fn against_autocommit(args: &Args, mistakes: &Mistakes) {
    for option in ["isolation", "read_only"] {
        if let Some(at) = args.named(option) {
            mistakes.push_with_help(
                at,
                format!("`{option}` belongs to a transaction, and with `autocommit` there is none"),
                format!("leave out `{option}` or `autocommit`"),
            );
        }
    }
    if let Some(word) = args.nested.as_ref().filter(|word| *word != "never") {
        mistakes.push_with_help(
            word,
            format!(
                "`nested = {word}` is for a caller's transaction, in which `autocommit` is refused"
            ),
            "leave out `nested` or `autocommit`, or write `nested = never`",
        );
    }
}

/// A limit behind a shorter one is never reached.
fn against_limits(args: &Args, mistakes: &Mistakes) {
    let whole = ("timeout", &args.timeout, "the whole call");
    let statement = (
        "statement_timeout",
        &args.statement_timeout,
        "the waiting statement",
    );
    let lock = ("lock_timeout", &args.lock_timeout);
    for ((option, given), shorter) in [
        ((statement.0, statement.1), &[whole][..]),
        (lock, &[whole, statement][..]),
    ] {
        let Some(limit) = given else { continue };
        let first = shorter.iter().find_map(|(name, shorter, what)| {
            let shorter = shorter.as_ref()?.duration;
            (shorter < limit.duration).then_some((name, shorter, what))
        });
        if let Some((name, shorter, what)) = first {
            let (long, short) = (duration::show(limit.duration), duration::show(shorter));
            mistakes.push_with_help(
                &limit.at,
                format!(
                    "`{option}` of {long} is longer than `{name}` of {short}, which ends {what} first"
                ),
                format!("lower `{option}`, or leave it out"),
            );
        }
    }
}
