//! The options of `#[retry]` as they were written.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitInt, LitStr, Path};

use crate::diagnostics::Mistakes;
use crate::options::{self, Table, Takes};
use crate::words::Word;

pub(crate) const STRATEGIES: [&str; 4] = ["exponential", "fixed", "immediate", "none"];

pub(crate) const TABLE: Table = Table {
    of: "`#[retry]`",
    options: &[
        ("exponential", Takes::Nothing),
        ("fixed", Takes::Nothing),
        ("immediate", Takes::Nothing),
        ("none", Takes::Nothing),
        ("max", Takes::Count(5)),
        ("base", Takes::Duration),
        ("cap", Takes::Duration),
        ("factor", Takes::Count(2)),
        ("jitter", Takes::Word(&["full", "equal", "none"], &[])),
        ("within", Takes::Duration),
        ("on", Takes::Words),
        ("verify_commit", Takes::Nothing),
        ("idempotent", Takes::Nothing),
        ("policy", Takes::Expression),
        ("crate", Takes::Path),
    ],
    synonyms: &[
        ("attempts", "did you mean `max`?"),
        ("tries", "did you mean `max`?"),
        (
            "retries",
            "did you mean `max`, which counts the first attempt too?",
        ),
        ("delay", "did you mean `base`?"),
        ("backoff", "name the strategy alone, as in `exponential`"),
    ],
    arms: false,
};

/// Valid each by itself, in the order they were written where that matters.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) strategies: Vec<Ident>,
    pub(crate) max: Option<(u32, LitInt)>,
    pub(crate) base: Option<(Duration, LitStr)>,
    pub(crate) cap: Option<(Duration, LitStr)>,
    pub(crate) factor: Option<(u32, LitInt)>,
    pub(crate) jitter: Option<Ident>,
    pub(crate) within: Option<(Duration, LitStr)>,
    pub(crate) on: Vec<(Word, Ident)>,
    pub(crate) policy: Option<Expr>,
    pub(crate) root: Option<Path>,
    /// The name of every valid option, to point at one that contradicts another.
    pub(crate) names: Vec<Ident>,
}

impl Args {
    /// The name of an option, if it was given.
    pub(crate) fn named(&self, option: &str) -> Option<&Ident> {
        self.names.iter().find(|name| *name == option)
    }

    /// Whether a second attempt may follow the first, as far as the options tell.
    pub(crate) fn may_repeat(&self) -> bool {
        let once = self.max.as_ref().is_some_and(|(max, _)| *max == 1);
        !once && self.named("none").is_none()
    }
}

pub(crate) fn read(tokens: TokenStream, others: &[&Table], mistakes: &Mistakes) -> Args {
    let options = options::read(&TABLE, others, tokens, mistakes);
    let names: Vec<Ident> = options.given().map(|given| given.name.clone()).collect();
    let duration = |name| {
        options
            .duration(name)
            .map(|(duration, at)| (duration, at.clone()))
    };
    let count = |name| options.count(name).map(|(count, at)| (count, at.clone()));
    Args {
        strategies: names
            .iter()
            .filter(|name| STRATEGIES.iter().any(|strategy| *name == strategy))
            .cloned()
            .collect(),
        max: count("max"),
        base: duration("base"),
        cap: duration("cap"),
        factor: count("factor"),
        jitter: options.word("jitter").cloned(),
        within: duration("within"),
        on: options.words("on").to_vec(),
        policy: options.expression("policy").cloned(),
        root: options.path("crate").cloned(),
        names,
    }
}
