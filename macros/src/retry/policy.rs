//! When an attempt follows another, and after which delay.

use std::time::Duration;

use proc_macro2::Ident;
use syn::Expr;

use super::args::{Args, STRATEGIES};
use crate::diagnostics::Mistakes;
use crate::duration;

pub(crate) enum Policy {
    /// `policy = EXPR`
    Given(Expr),
    Built(Built),
}

pub(crate) struct Built {
    pub(crate) strategy: &'static str,
    pub(crate) max: Option<u32>,
    pub(crate) base: Option<Duration>,
    pub(crate) cap: Option<Duration>,
    pub(crate) factor: Option<u32>,
    pub(crate) jitter: Option<&'static str>,
    pub(crate) within: Option<Duration>,
    /// Variants of `__private::Kind`.
    pub(crate) on: Vec<&'static str>,
}

/// The number of attempts without `max`.
pub(crate) const MAX: u32 = 5;
/// What may stand beside `policy`: these two say something of the function, whatever the policy.
const BESIDE_POLICY: [&str; 4] = ["policy", "crate", "verify_commit", "idempotent"];
const EXPONENTIAL: &str = "exponential";
const EXPONENTIAL_BASE: Duration = Duration::from_millis(10);
const FIXED_BASE: Duration = Duration::from_secs(1);

pub(crate) fn decide(mut args: Args, mistakes: &Mistakes) -> Policy {
    if let Some(policy) = args.policy {
        let others = args
            .names
            .iter()
            .filter(|name| !BESIDE_POLICY.iter().any(|beside| *name == beside));
        for other in others {
            mistakes.push_with_help(
                other,
                format!("`{other}` contradicts `policy`, which decides everything"),
                format!("set it on the policy, or leave `policy` out and `{other}` in"),
            );
        }
        return Policy::Given(policy);
    }
    let strategy = strategy(&args, mistakes);
    drop_useless(&mut args, strategy, mistakes);
    without_second(&args, mistakes);
    drop_zeros(&mut args, mistakes);
    drop_limits(&mut args, strategy, mistakes);
    drop_unknown(&mut args, mistakes);
    Policy::Built(Built {
        strategy,
        max: args.max.map(|(max, _)| max),
        base: args.base.map(|(base, _)| base),
        cap: args.cap.map(|(cap, _)| cap),
        factor: args.factor.map(|(factor, _)| factor),
        jitter: args.jitter.as_ref().map(jitter),
        within: args.within.map(|(within, _)| within),
        on: args.on.iter().map(|(word, _)| word.kind).collect(),
    })
}

fn strategy(args: &Args, mistakes: &Mistakes) -> &'static str {
    let mut strategies = args.strategies.iter();
    let Some(first) = strategies.next() else {
        return EXPONENTIAL;
    };
    for other in strategies {
        mistakes.push_with_help(
            other,
            format!("`{other}` contradicts `{first}`: a retry has one strategy"),
            format!("leave out `{first}` or `{other}`"),
        );
    }
    STRATEGIES
        .into_iter()
        .find(|strategy| first == strategy)
        .unwrap_or(EXPONENTIAL)
}

fn jitter(word: &Ident) -> &'static str {
    if word == "full" {
        "Full"
    } else if word == "equal" {
        "Equal"
    } else {
        "None"
    }
}

/// Drops the options that mean nothing under the strategy.
fn drop_useless(args: &mut Args, strategy: &str, mistakes: &Mistakes) {
    let (means_nothing, why): (&[&str], _) = match strategy {
        "none" => (
            &[
                "max",
                "base",
                "cap",
                "factor",
                "jitter",
                "within",
                "on",
                "verify_commit",
                "idempotent",
            ],
            "runs the body once",
        ),
        "immediate" => (&["base", "cap", "factor", "jitter"], "does not wait"),
        "fixed" => (&["cap", "factor"], "waits `base` each time"),
        _ => return,
    };
    for name in &args.names {
        if !means_nothing.iter().any(|option| name == option) {
            continue;
        }
        mistakes.push_with_help(
            name,
            format!("`{name}` means nothing here: `{strategy}` {why}"),
            format!("leave out `{name}`, or write `exponential`"),
        );
        match name.to_string().as_str() {
            "max" => args.max = None,
            "base" => args.base = None,
            "cap" => args.cap = None,
            "factor" => args.factor = None,
            "jitter" => args.jitter = None,
            "within" => args.within = None,
            "on" => args.on.clear(),
            _ => {}
        }
    }
}

/// The two that say what a second attempt may do, where there is none.
fn without_second(args: &Args, mistakes: &Mistakes) {
    if args.max.as_ref().is_none_or(|(max, _)| *max != 1) {
        return;
    }
    for option in ["verify_commit", "idempotent"] {
        if let Some(at) = args.named(option) {
            mistakes.push_with_help(
                at,
                format!("`{option}` means nothing here: `max = 1` runs the body once"),
                format!("leave out `{option}`, or raise `max`"),
            );
        }
    }
}

fn drop_zeros(args: &mut Args, mistakes: &Mistakes) {
    args.max.take_if(|(max, at)| {
        if *max == 0 {
            mistakes.push_with_help(
                at,
                "`max` counts the first attempt too, so it cannot be `0`",
                "use `1` to run once, or remove `#[retry]`",
            );
        }
        *max == 0
    });
    args.factor.take_if(|(factor, at)| {
        if *factor == 0 {
            mistakes.push_with_help(
                at,
                "a `factor` of `0` leaves no delay after the first",
                "write `immediate` for no delay, or a factor of at least `1`",
            );
        }
        *factor == 0
    });
    let delays = "write `immediate` for no delay";
    for (option, given, help) in [
        ("base", &mut args.base, delays),
        ("cap", &mut args.cap, delays),
        (
            "within",
            &mut args.within,
            "give it some time, or leave `within` out for no limit",
        ),
    ] {
        given.take_if(|(duration, at)| {
            if duration.is_zero() {
                mistakes.push_with_help(at, format!("`{option}` cannot be zero"), help);
            }
            duration.is_zero()
        });
    }
}

/// Drops a limit under which the first delay never fits.
fn drop_limits(args: &mut Args, strategy: &str, mistakes: &Mistakes) {
    let (option, limit, default, help) = match strategy {
        EXPONENTIAL => (
            "cap",
            &mut args.cap,
            EXPONENTIAL_BASE,
            "no delay is longer than `cap`: raise it, or lower `base`",
        ),
        "fixed" => (
            "within",
            &mut args.within,
            FIXED_BASE,
            "the time would be over before the second attempt: raise it, or lower `base`",
        ),
        _ => return,
    };
    let base = args.base.as_ref().map(|(base, _)| *base);
    let delay = base.unwrap_or(default);
    limit.take_if(|(limit, at)| {
        if *limit < delay {
            let which = if base.is_some() { "" } else { "the default " };
            let (limit, delay) = (duration::show(*limit), duration::show(delay));
            mistakes.push_with_help(
                at,
                format!("`{option}` of {limit} is shorter than {which}`base` of {delay}"),
                help,
            );
        }
        *limit < delay
    });
}

/// Drops the one error that is never retried.
fn drop_unknown(args: &mut Args, mistakes: &Mistakes) {
    args.on.retain(|(word, at)| {
        let unknown = word.name == "commit_unknown";
        if unknown {
            mistakes.push_with_help(
                at,
                "an unknown commit may have been applied, so starting over could apply it twice",
                "write `verify_commit` to find out, or `idempotent` if twice is as good as once",
            );
        }
        !unknown
    });
}
