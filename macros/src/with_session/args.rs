//! The options of `#[with_session]` as they were written.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use crate::diagnostics::Mistakes;
use crate::options::{self, Options, Table, Takes};

pub(crate) const TABLE: Table = Table {
    of: "`#[with_session]`",
    options: &[
        ("pool", Takes::Expression),
        (
            "isolation",
            Takes::Word(&["read_committed", "repeatable_read", "serializable"], &[]),
        ),
        ("read_only", Takes::Nothing),
        ("autocommit", Takes::Nothing),
        ("timeout", Takes::Duration),
        ("lock_timeout", Takes::Duration),
        ("statement_timeout", Takes::Duration),
        ("nested", Takes::Word(&["savepoint", "join", "never"], &[])),
        ("recursive", Takes::Nothing),
        ("name", Takes::Text),
        ("crate", Takes::Path),
        ("replica", Takes::Later),
        ("detached", Takes::Later),
    ],
    synonyms: &[
        ("propagation", "did you mean `nested`?"),
        ("deadline", "did you mean `timeout`?"),
    ],
    arms: false,
};

/// Valid each by itself.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) pool: Option<Expr>,
    pub(crate) isolation: Option<Ident>,
    pub(crate) timeout: Option<Limit>,
    pub(crate) lock_timeout: Option<Limit>,
    pub(crate) statement_timeout: Option<Limit>,
    pub(crate) nested: Option<Ident>,
    pub(crate) name: Option<LitStr>,
    pub(crate) root: Option<Path>,
    /// The name of every valid option, to point at one that contradicts another.
    names: Vec<Ident>,
}

/// A time that is not zero, and where it is written.
#[derive(Clone)]
pub(crate) struct Limit {
    pub(crate) duration: Duration,
    pub(crate) at: LitStr,
}

impl Args {
    /// The name of an option, if it was given.
    pub(crate) fn named(&self, option: &str) -> Option<&Ident> {
        self.names.iter().find(|name| *name == option)
    }
}

pub(crate) fn read(tokens: TokenStream, others: &[&Table], mistakes: &Mistakes) -> Args {
    let options = options::read(&TABLE, others, tokens, mistakes);
    Args {
        pool: pool(options.expression("pool"), mistakes),
        isolation: options.word("isolation").cloned(),
        timeout: limit("timeout", &options, mistakes),
        lock_timeout: limit("lock_timeout", &options, mistakes),
        statement_timeout: limit("statement_timeout", &options, mistakes),
        nested: options.word("nested").cloned(),
        name: options.text("name").cloned(),
        root: options.path("crate").cloned(),
        names: options.given().map(|given| given.name.clone()).collect(),
    }
}

fn pool(expression: Option<&Expr>, mistakes: &Mistakes) -> Option<Expr> {
    let expression = expression?;
    if let Expr::Lit(ExprLit {
        lit: Lit::Str(name),
        ..
    }) = expression
    {
        mistakes.push_with_help(
            name,
            "a pool by its name is not available yet",
            "write an expression, such as `pool = self.pool`",
        );
        return None;
    }
    Some(expression.clone())
}

fn limit(option: &str, options: &Options, mistakes: &Mistakes) -> Option<Limit> {
    let (duration, at) = options.duration(option)?;
    if duration.is_zero() {
        let what = match option {
            "timeout" => "would end every session before its first statement",
            "lock_timeout" => "would end every statement that meets a lock",
            _ => "would end every statement before it began",
        };
        let message = format!("a `{option}` of zero {what}");
        let help = format!("give it some time, or leave `{option}` out for none");
        mistakes.push_with_help(at, message, help);
        return None;
    }
    Some(Limit {
        duration,
        at: at.clone(),
    })
}
