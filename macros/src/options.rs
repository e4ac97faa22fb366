//! The one reader of options: every macro gives a table of what it takes, the reader finds what is
//! unknown, written twice, lacking a value or of the wrong kind.

mod arm;
mod reader;
#[cfg(test)]
mod tests;
mod value;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, LitInt, LitStr, Path, Token};

use crate::diagnostics::Mistakes;
use crate::words::Word;

/// What a macro takes.
pub(crate) struct Table {
    /// As in messages: `#[retry]`.
    pub(crate) of: &'static str,
    pub(crate) options: &'static [(&'static str, Takes)],
    /// Words that others use for an option, and what to do about each.
    pub(crate) synonyms: &'static [(&'static str, &'static str)],
    /// Whether `word("constraint") => EXPR` may stand among the options.
    pub(crate) arms: bool,
}

/// What is written behind an option's name.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    /// `= word`, one of these; the second list is known and not available yet.
    Word(&'static [&'static str], &'static [&'static str]),
    /// A number, and one to show in messages.
    Count(u32),
    Duration,
    Text,
    Expression,
    Path,
    /// `(word, word)`, the words for errors.
    Words,
    /// Known, and not available yet, whatever is written behind it.
    Later,
}

/// The value of one option, of the kind its table asked for.
pub(crate) enum Value {
    Nothing,
    Word(Ident),
    Count(u32, LitInt),
    Duration(Duration, LitStr),
    Text(LitStr),
    Expression(Expr),
    Path(Path),
    Words(Vec<(Word, Ident)>),
}

/// One option as it was given.
pub(crate) struct Given {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// One arm of `#[db_error_handling]`.
pub(crate) struct Arm {
    pub(crate) word: Word,
    pub(crate) at: Ident,
    pub(crate) constraint: Option<LitStr>,
    pub(crate) error: Expr,
}

/// What was read: valid options only, each at most once. What was not valid is among the mistakes.
#[derive(Default)]
pub(crate) struct Options {
    given: Vec<Given>,
    pub(crate) arms: Vec<Arm>,
}

impl Options {
    pub(crate) fn find(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    /// Every valid option, in the order they were written.
    pub(crate) fn given(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    pub(crate) fn word(&self, name: &str) -> Option<&Ident> {
        match &self.find(name)?.value {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn count(&self, name: &str) -> Option<(u32, &LitInt)> {
        match &self.find(name)?.value {
            Value::Count(count, at) => Some((*count, at)),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Option<(Duration, &LitStr)> {
        match &self.find(name)?.value {
            Value::Duration(duration, at) => Some((*duration, at)),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&LitStr> {
        match &self.find(name)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn expression(&self, name: &str) -> Option<&Expr> {
        match &self.find(name)?.value {
            Value::Expression(expression) => Some(expression),
            _ => None,
        }
    }

    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        match &self.find(name)?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn words(&self, name: &str) -> &[(Word, Ident)] {
        match self.find(name).map(|given| &given.value) {
            Some(Value::Words(words)) => words,
            _ => &[],
        }
    }
}

/// Reads everything between the parentheses of an attribute. `others` are the tables of the attributes that may stand
/// beside it, where an option may have been meant to go.
pub(crate) fn read(
    table: &Table,
    others: &[&Table],
    tokens: TokenStream,
    mistakes: &Mistakes,
) -> Options {
    let reader = |input: ParseStream<'_>| {
        let mut options = Options::default();
        let mut known = Vec::new();
        while !input.is_empty() {
            reader::Reader {
                table,
                others,
                mistakes,
                input,
                known: &mut known,
            }
            .one(&mut options);
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    };
    match reader.parse2(tokens) {
        Ok(options) => options,
        Err(error) => {
            mistakes.record(error);
            Options::default()
        }
    }
}
