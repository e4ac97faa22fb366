//! When an attempt follows another, and after which delay.

use std::time::Duration;

use syn::{Expr, LitStr};

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
/// The one error that is never retried.
const UNKNOWN: &str = "commit_unknown";
const EXPONENTIAL_BASE: Duration = Duration::from_millis(10);
const FIXED_BASE: Duration = Duration::from_secs(1);

pub(crate) fn decide(args: Args, mistakes: &Mistakes) -> Policy {
    if let Some(policy) = args.policy {
        let others = args
            .names
            .iter()
            .filter(|name| *name != "policy" && *name != "crate");
        for other in others {
            mistakes.push_with_help(
                other,
                format!("`{other}` contradicts `policy`, which decides everything"),
                format!("set it on the policy, or leave `policy` out and `{other}` in"),
            );
        }
        return Policy::Given(policy);
    }
    Policy::Built(built(&args, mistakes))
}

fn built(args: &Args, mistakes: &Mistakes) -> Built {
    let strategy = strategy(args, mistakes);
    useless(args, strategy, mistakes);
    let max = args.max.as_ref().filter(|(max, at)| {
        if *max == 0 {
            mistakes.push_with_help(
                at,
                "`max` counts the first attempt too, so it cannot be `0`",
                "use `1` to run once, or remove `#[retry]`",
            );
        }
        *max != 0
    });
    let factor = args.factor.as_ref().filter(|(factor, at)| {
        if *factor == 0 {
            mistakes.push_with_help(
                at,
                "a `factor` of `0` leaves no delay after the first",
                "write `immediate` for no delay, or a factor of at least `1`",
            );
        }
        *factor != 0
    });
    delays(args, strategy, mistakes);
    for (word, at) in &args.on {
        if word.name == UNKNOWN {
            mistakes.push_with_help(
                at,
                "an unknown commit may have been applied, so starting over could apply it twice",
                "leave it out, and ask the database what became of the work",
            );
        }
    }
    Built {
        strategy,
        max: max.map(|(max, _)| *max),
        base: args.base.as_ref().map(|(base, _)| *base),
        cap: args.cap.as_ref().map(|(cap, _)| *cap),
        factor: factor.map(|(factor, _)| *factor),
        jitter: args.jitter.as_ref().map(|jitter| {
            if jitter == "full" {
                "Full"
            } else if jitter == "equal" {
                "Equal"
            } else {
                "None"
            }
        }),
        within: args.within.as_ref().map(|(within, _)| *within),
        on: args
            .on
            .iter()
            .filter(|(word, _)| word.name != UNKNOWN)
            .map(|(word, _)| word.kind)
            .collect(),
    }
}

fn strategy(args: &Args, mistakes: &Mistakes) -> &'static str {
    let mut strategies = args.strategies.iter();
    let Some(first) = strategies.next() else {
        return "exponential";
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
        .unwrap_or("exponential")
}

/// Options that mean nothing under the strategy.
fn useless(args: &Args, strategy: &str, mistakes: &Mistakes) {
    let (means_nothing, why): (&[&str], _) = match strategy {
        "none" => (
            &["max", "base", "cap", "factor", "jitter", "within", "on"],
            "runs the body once",
        ),
        "immediate" => (&["base", "cap", "factor", "jitter"], "does not wait"),
        "fixed" => (&["cap", "factor"], "waits `base` each time"),
        _ => return,
    };
    let useless = args
        .names
        .iter()
        .filter(|name| means_nothing.iter().any(|option| *name == option));
    for name in useless {
        mistakes.push_with_help(
            name,
            format!("`{name}` means nothing here: `{strategy}` {why}"),
            format!("leave out `{name}`, or write `exponential`"),
        );
    }
}

fn delays(args: &Args, strategy: &str, mistakes: &Mistakes) {
    for (option, value) in [
        ("base", &args.base),
        ("cap", &args.cap),
        ("within", &args.within),
    ] {
        let Some((_, at)) = value.as_ref().filter(|(duration, _)| duration.is_zero()) else {
            continue;
        };
        let help = if option == "within" {
            "give it some time, or leave `within` out for no limit"
        } else {
            "write `immediate` for no delay"
        };
        mistakes.push_with_help(at, format!("`{option}` cannot be zero"), help);
    }
    match strategy {
        "exponential" => at_least_base(
            "cap",
            args.cap.as_ref(),
            args.base.as_ref(),
            EXPONENTIAL_BASE,
            "no delay is longer than `cap`: raise it, or lower `base`",
            mistakes,
        ),
        "fixed" => at_least_base(
            "within",
            args.within.as_ref(),
            args.base.as_ref(),
            FIXED_BASE,
            "the time would be over before the second attempt: raise it, or lower `base`",
            mistakes,
        ),
        _ => {}
    }
}

/// Refuses a limit under which the first delay never fits. What is zero was refused before.
fn at_least_base(
    option: &str,
    limit: Option<&(Duration, LitStr)>,
    base: Option<&(Duration, LitStr)>,
    default: Duration,
    help: &str,
    mistakes: &Mistakes,
) {
    let Some((limit, at)) = limit.filter(|(limit, _)| !limit.is_zero()) else {
        return;
    };
    let delay = base.map_or(default, |(base, _)| *base);
    if *limit >= delay {
        return;
    }
    let which = if base.is_some() { "" } else { "the default " };
    let (limit, delay) = (duration::show(*limit), duration::show(delay));
    mistakes.push_with_help(
        at,
        format!("`{option}` of {limit} is shorter than {which}`base` of {delay}"),
        help,
    );
}
