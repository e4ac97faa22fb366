//! What `#[retry]` is going to do with a function.

use std::time::Duration;

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::{Attribute, Expr, Pat, PatType, Type};

use super::args::Args;
use crate::diagnostics::Mistakes;
use crate::duration;
use crate::function::{Function, Receiver, carried, local, mentions, simple_name};
use crate::types;

pub(crate) struct Plan {
    pub(crate) policy: Policy,
    pub(crate) arguments: Vec<Argument>,
    /// `self` is owned: each attempt uses one up.
    pub(crate) owns_self: bool,
    /// Where the compiler shows that `self` cannot be cloned.
    pub(crate) self_span: Span,
}

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

/// An argument that each attempt binds anew.
pub(crate) struct Argument {
    pub(crate) place: usize,
    /// Its name in the signature.
    pub(crate) outer: Ident,
    /// How the body binds it.
    pub(crate) pattern: Pat,
    /// Whether the signature has to give it that name.
    pub(crate) renamed: bool,
    pub(crate) ty: Type,
    /// A reference is copied by itself.
    pub(crate) cloned: bool,
    pub(crate) attributes: Vec<Attribute>,
}

impl Argument {
    /// Whether an expression names what this argument binds.
    pub(crate) fn is_named_in(&self, expression: &Expr) -> bool {
        let expression = expression.to_token_stream();
        mentions(self.pattern.to_token_stream(), &|bound| {
            mentions(expression.clone(), &|named| named == bound)
        })
    }
}

/// The number of attempts without `max`.
pub(crate) const MAX: u32 = 5;
/// The one error that is never retried.
const UNKNOWN: &str = "commit_unknown";
const EXPONENTIAL_BASE: Duration = Duration::from_millis(10);
const FIXED_BASE: Duration = Duration::from_secs(1);

/// `None` when an argument forbids starting over, which is among the mistakes then. `session` is the
/// place of the parameter that a session takes care of.
pub(crate) fn decide(
    args: Args,
    function: &Function,
    session: Option<usize>,
    mistakes: &Mistakes,
) -> Option<Plan> {
    let policy = policy(args, mistakes);
    let receiver = function.receiver();
    if receiver == Receiver::Exclusive {
        if let Some(receiver) = function.signature.receiver() {
            mistakes.push_with_help(
                receiver,
                "`#[retry]` re-runs the body, so `&mut self` would keep what a failed attempt wrote",
                "take `&self`, and return what changed",
            );
        }
    }
    let (mut arguments, mut sound) = (Vec::new(), receiver != Receiver::Exclusive);
    for (place, argument) in function.arguments() {
        if Some(place) == session {
            continue;
        }
        if is_exclusive(argument) {
            exclusive(argument, session.is_some(), mistakes);
            sound = false;
        }
        arguments.extend(again(place, argument));
    }
    sound.then_some(Plan {
        policy,
        arguments,
        owns_self: receiver == Receiver::Value,
        self_span: function
            .signature
            .receiver()
            .map_or_else(Span::call_site, |receiver| receiver.self_token.span),
    })
}

fn is_exclusive(argument: &PatType) -> bool {
    matches!(types::plain(&argument.ty), Type::Reference(reference) if reference.mutability.is_some())
}

fn again(place: usize, argument: &PatType) -> Option<Argument> {
    let cloned = !matches!(types::plain(&argument.ty), Type::Reference(_));
    let (outer, renamed) = match simple_name(&argument.pat) {
        Some(name) if name.mutability.is_none() && !cloned => return None,
        Some(name) => (name.ident.clone(), name.mutability.is_some()),
        // Nothing is bound, so nothing is used up.
        None if matches!(&*argument.pat, Pat::Wild(_)) => return None,
        None => (format_ident!("{}", local(&format!("arg_{place}"))), true),
    };
    Some(Argument {
        place,
        outer,
        pattern: (*argument.pat).clone(),
        renamed,
        ty: (*argument.ty).clone(),
        cloned,
        attributes: carried(argument).cloned().collect(),
    })
}

fn exclusive(argument: &PatType, has_session: bool, mistakes: &Mistakes) {
    let is_session = types::last_word(&argument.ty).is_some_and(|word| word.ends_with("Session"));
    let shown = types::shown(argument);
    if is_session && !has_session {
        mistakes.push_with_help(
            argument,
            format!("`#[retry]` cannot start over inside a session that is open, as `{shown}` is"),
            "add `#[with_session]`: each attempt gets a session of its own",
        );
        return;
    }
    mistakes.push_with_help(
        argument,
        format!("`#[retry]` re-runs the body, so `{shown}` would keep what a failed attempt wrote"),
        "return the value instead",
    );
}

fn policy(args: Args, mistakes: &Mistakes) -> Policy {
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
    super::args::STRATEGIES
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
        if let Some((_, at)) = value.as_ref().filter(|(duration, _)| duration.is_zero()) {
            let help = if option == "within" {
                "give it some time, or leave `within` out for no limit"
            } else {
                "write `immediate` for no delay"
            };
            mistakes.push_with_help(at, format!("`{option}` cannot be zero"), help);
        }
    }
    let default = if strategy == "fixed" {
        FIXED_BASE
    } else {
        EXPONENTIAL_BASE
    };
    let base = args.base.as_ref().map(|(base, _)| *base);
    let delay = base.unwrap_or(default);
    if delay.is_zero() {
        return;
    }
    let from = if base.is_some() { "" } else { "the default " };
    let given = |option: &'static str| {
        let shown = duration::show(delay);
        move |limit| format!("`{option}` of {limit} is shorter than {from}`base` of {shown}")
    };
    if strategy == "exponential" {
        if let Some((cap, at)) = args.cap.as_ref().filter(|(cap, _)| !cap.is_zero()) {
            if *cap < delay {
                let help = "no delay is longer than `cap`: raise it, or lower `base`";
                mistakes.push_with_help(at, given("cap")(duration::show(*cap)), help);
            }
        }
    }
    if strategy == "fixed" {
        if let Some((within, at)) = args.within.as_ref().filter(|(within, _)| !within.is_zero()) {
            if *within < delay {
                let help =
                    "the time would be over before the second attempt: raise it, or lower `base`";
                mistakes.push_with_help(at, given("within")(duration::show(*within)), help);
            }
        }
    }
}
