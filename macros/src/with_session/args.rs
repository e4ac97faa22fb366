//! The options of `#[with_session]` as they were written.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use crate::diagnostics::Mistakes;
use crate::options::{self, Table, Takes};

const TABLE: Table = Table {
    of: "`#[with_session]`",
    options: &[
        ("pool", Takes::Expression),
        (
            "isolation",
            Takes::Word(&["read_committed", "repeatable_read", "serializable"], &[]),
        ),
        ("read_only", Takes::Nothing),
        ("timeout", Takes::Duration),
        ("nested", Takes::Word(&["savepoint"], &["join", "never"])),
        ("name", Takes::Text),
        ("crate", Takes::Path),
        ("replica", Takes::Later),
        ("lock_timeout", Takes::Later),
        ("statement_timeout", Takes::Later),
        ("autocommit", Takes::Later),
        ("detached", Takes::Later),
        ("recursive", Takes::Later),
    ],
    arms: false,
};

/// Valid each by itself.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) pool: Option<Expr>,
    pub(crate) isolation: Option<Ident>,
    pub(crate) read_only: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) name: Option<LitStr>,
    pub(crate) root: Option<Path>,
}

pub(crate) fn read(tokens: TokenStream, mistakes: &Mistakes) -> Args {
    let options = options::read(&TABLE, tokens, mistakes);
    Args {
        pool: pool(options.expression("pool"), mistakes),
        isolation: options.word("isolation").cloned(),
        read_only: options.flag("read_only"),
        timeout: timeout(options.duration("timeout"), mistakes),
        name: options.text("name").cloned(),
        root: options.path("crate").cloned(),
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

fn timeout(given: Option<(Duration, &LitStr)>, mistakes: &Mistakes) -> Option<Duration> {
    let (duration, at) = given?;
    if duration.is_zero() {
        mistakes.push_with_help(
            at,
            "a `timeout` of zero would end every session before its first statement",
            "give it some time, or leave `timeout` out for none",
        );
        return None;
    }
    Some(duration)
}
