//! The one reader of options: every macro gives a table of what it takes, the reader finds what is
//! unknown, written twice, lacking a value or of the wrong kind.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, LitInt, LitStr, Path, Token, parenthesized, token};

use crate::diagnostics::Mistakes;
use crate::words::{self, Word};
use crate::{duration, suggest};

/// What a macro takes.
pub(crate) struct Table {
    /// As in messages: `#[retry]`.
    pub(crate) of: &'static str,
    pub(crate) options: &'static [(&'static str, Takes)],
    /// Whether `word("constraint") => EXPR` may stand among the options.
    pub(crate) arms: bool,
}

/// What is written behind an option's name.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    /// `= word`, one of these; the second list is known and not available yet.
    Word(&'static [&'static str], &'static [&'static str]),
    Count,
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

    /// The first option given that is one of `names`, in the order they were written.
    pub(crate) fn given(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.find(name).is_some()
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

/// Reads everything between the parentheses of an attribute.
pub(crate) fn read(table: &Table, tokens: TokenStream, mistakes: &Mistakes) -> Options {
    let reader = |input: ParseStream<'_>| {
        let mut options = Options::default();
        let mut known = Vec::new();
        while !input.is_empty() {
            Reader {
                table,
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

struct Reader<'a, 'input> {
    table: &'a Table,
    mistakes: &'a Mistakes,
    input: ParseStream<'input>,
    /// Every name met so far, with a valid value or without one.
    known: &'a mut Vec<String>,
}

impl Reader<'_, '_> {
    /// Reads one option or arm and leaves the input at the comma behind it.
    fn one(&mut self, options: &mut Options) {
        let Ok(name) = self.input.call(Ident::parse_any) else {
            let rest = self.skip();
            let message = format!("{} takes options by name", self.table.of);
            self.mistakes.push(rest, message);
            return;
        };
        if self.table.arms && self.is_arm() {
            if let Some(arm) = self.arm(name) {
                options.arms.push(arm);
            }
            return;
        }
        let written = name.unraw().to_string();
        let entry = self
            .table
            .options
            .iter()
            .find(|(known, _)| *known == written);
        let Some((_, takes)) = entry else {
            self.skip();
            self.unknown(&name, &written);
            return;
        };
        if let Takes::Later = takes {
            self.skip();
            self.later(&name, &written);
            return;
        }
        if self.known.contains(&written) {
            self.skip();
            self.mistakes
                .push(&name, format!("`{written}` is given twice"));
            return;
        }
        let value = self.value(*takes, &name, &written);
        self.known.push(written);
        options
            .given
            .extend(value.map(|value| Given { name, value }));
    }

    fn unknown(&self, name: &Ident, written: &str) {
        if self.table.arms && self.table.options.iter().all(|(known, _)| *known != written) {
            let message = format!(
                "{} knows neither an option nor an error called `{written}`",
                self.table.of
            );
            self.mistakes
                .push_with_help(name, message, words::help(written));
            return;
        }
        let known = || self.table.options.iter().map(|(name, _)| *name);
        let message = format!("{} has no option `{written}`", self.table.of);
        let help = match suggest::nearest(written, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let known: Vec<_> = self
                    .table
                    .options
                    .iter()
                    .filter(|(_, takes)| !matches!(takes, Takes::Later))
                    .map(|(name, _)| format!("`{name}`"))
                    .collect();
                format!("the options are {}", known.join(", "))
            }
        };
        self.mistakes.push_with_help(name, message, help);
    }

    fn later(&self, at: impl quote::ToTokens, written: &str) {
        self.mistakes
            .push(at, format!("`{written}` is not available yet"));
    }

    fn value(&self, takes: Takes, name: &Ident, written: &str) -> Option<Value> {
        let value = match takes {
            Takes::Nothing => self.nothing(written),
            Takes::Words => self.words(name, written),
            _ if !self.input.peek(Token![=]) => {
                let rest = self.skip();
                let message = format!("`{written}` needs a value");
                let help = format!("write `{}`", example(takes, written));
                if rest.is_empty() {
                    self.mistakes.push_with_help(name, message, help);
                } else {
                    self.mistakes.push_with_help(rest, message, help);
                }
                return None;
            }
            _ => {
                // The peek above has seen it.
                let _ = self.input.parse::<Token![=]>();
                self.assigned(takes, name, written)
            }
        }?;
        let rest = self.skip();
        if rest.is_empty() {
            return Some(value);
        }
        self.wrong(rest, takes, written);
        None
    }

    fn nothing(&self, written: &str) -> Option<Value> {
        let rest = self.skip();
        if rest.is_empty() {
            return Some(Value::Nothing);
        }
        self.mistakes.push_with_help(
            rest,
            format!("`{written}` takes no value"),
            format!("write `{written}` alone, or leave it out"),
        );
        None
    }

    fn assigned(&self, takes: Takes, name: &Ident, written: &str) -> Option<Value> {
        if self.input.is_empty() || self.input.peek(Token![,]) {
            self.mistakes.push_with_help(
                name,
                format!("`{written}` needs a value"),
                format!("write `{}`", example(takes, written)),
            );
            return None;
        }
        let ahead = self.input.fork();
        match takes {
            Takes::Word(known, later) => {
                if let Ok(word) = ahead.call(Ident::parse_any) {
                    let _ = self.input.call(Ident::parse_any);
                    return self.known_word(word, known, later, written);
                }
            }
            Takes::Count => {
                if let Ok(literal) = ahead.parse::<LitInt>() {
                    let _ = self.input.parse::<LitInt>();
                    return match literal.base10_parse() {
                        Ok(count) if literal.suffix().is_empty() => {
                            Some(Value::Count(count, literal))
                        }
                        _ => {
                            self.wrong(&literal, takes, written);
                            None
                        }
                    };
                }
            }
            Takes::Duration => {
                if let Ok(literal) = ahead.parse::<LitStr>() {
                    let _ = self.input.parse::<LitStr>();
                    return match duration::parse(&literal.value()) {
                        Ok(duration) => Some(Value::Duration(duration, literal)),
                        Err(why) => {
                            let message = format!("`{written}` takes a duration: {why}");
                            self.mistakes
                                .push_with_help(&literal, message, duration::EXAMPLES);
                            None
                        }
                    };
                }
            }
            Takes::Text => {
                if let Ok(literal) = ahead.parse::<LitStr>() {
                    let _ = self.input.parse::<LitStr>();
                    if literal.value().is_empty() {
                        self.mistakes
                            .push(&literal, format!("`{written}` must not be empty"));
                        return None;
                    }
                    return Some(Value::Text(literal));
                }
            }
            Takes::Expression => {
                if ahead.parse::<Expr>().is_ok() {
                    return self.input.parse().ok().map(Value::Expression);
                }
            }
            Takes::Path => {
                if ahead.call(Path::parse_mod_style).is_ok() {
                    return self
                        .input
                        .call(Path::parse_mod_style)
                        .ok()
                        .map(Value::Path);
                }
            }
            Takes::Nothing | Takes::Words | Takes::Later => {}
        }
        self.wrong(self.skip(), takes, written);
        None
    }

    fn known_word(
        &self,
        word: Ident,
        known: &[&str],
        later: &[&str],
        written: &str,
    ) -> Option<Value> {
        let text = word.to_string();
        if known.contains(&text.as_str()) {
            return Some(Value::Word(word));
        }
        if later.contains(&text.as_str()) {
            self.later(&word, &format!("{written} = {text}"));
            return None;
        }
        let help = match suggest::nearest(&text, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", alternatives(known)),
        };
        let message = format!("`{written}` cannot be `{text}`");
        self.mistakes.push_with_help(&word, message, help);
        None
    }

    /// `(unique, timeout)`, at least one, none twice.
    fn words(&self, name: &Ident, written: &str) -> Option<Value> {
        let example = example(Takes::Words, written);
        if !self.input.peek(token::Paren) {
            let rest = self.skip();
            let message = format!("`{written}` takes a list of errors");
            let help = format!("write `{example}`");
            if rest.is_empty() {
                self.mistakes.push_with_help(name, message, help);
            } else {
                self.mistakes.push_with_help(rest, message, help);
            }
            return None;
        }
        let list = match parse_list(self.input) {
            Ok(list) => list,
            Err(error) => {
                self.mistakes.push_with_help(
                    TokenTree::Ident(Ident::new("_", error.span())),
                    format!("`{written}` takes a list of errors"),
                    format!("write `{example}`"),
                );
                return None;
            }
        };
        if list.is_empty() {
            self.mistakes.push_with_help(
                name,
                format!("`{written}` names no error"),
                format!("write `{example}`, or leave it out"),
            );
            return None;
        }
        let mut words: Vec<(Word, Ident)> = Vec::new();
        for at in list {
            let text = at.to_string();
            match words::find(&text) {
                None => self.mistakes.push_with_help(
                    &at,
                    format!("`{written}` knows no error called `{text}`"),
                    words::help(&text),
                ),
                Some(word) if words.iter().any(|(known, _)| *known == word) => {
                    self.mistakes
                        .push(&at, format!("`{text}` is listed twice in `{written}`"));
                }
                Some(word) => words.push((word, at)),
            }
        }
        Some(Value::Words(words))
    }

    /// Whether what follows a name makes it an arm: `=>`, or `( … ) =>`.
    fn is_arm(&self) -> bool {
        self.input.peek(Token![=>])
            || (self.input.peek(token::Paren) && self.input.peek2(Token![=>]))
    }

    fn arm(&self, at: Ident) -> Option<Arm> {
        let text = at.to_string();
        let word = words::find(&text);
        if word.is_none() {
            self.mistakes.push_with_help(
                &at,
                format!("{} knows no error called `{text}`", self.table.of),
                words::help(&text),
            );
        }
        let constraint = if self.input.peek(token::Paren) {
            self.constraint(word, &at)
        } else {
            Ok(None)
        };
        // `is_arm` has seen it.
        let _ = self.input.parse::<Token![=>]>();
        let ahead = self.input.fork();
        if ahead.parse::<Expr>().is_err() {
            let rest = self.skip();
            self.mistakes.push_with_help(
                if rest.is_empty() {
                    TokenTree::Ident(at).into()
                } else {
                    rest
                },
                format!("the arm `{text}` needs an error to translate to"),
                format!("write `{text} => MyError::Variant`"),
            );
            return None;
        }
        let error = self.input.parse().ok()?;
        let rest = self.skip();
        if !rest.is_empty() {
            self.mistakes.push(rest, "a comma belongs between two arms");
            return None;
        }
        Some(Arm {
            word: word?,
            at,
            constraint: constraint.ok()?,
            error,
        })
    }

    /// The name in the parentheses of an arm. `Err` once a mistake was recorded.
    fn constraint(&self, word: Option<Word>, at: &Ident) -> Result<Option<LitStr>, ()> {
        let parse = |input: ParseStream<'_>| -> syn::Result<(Span, syn::Result<LitStr>)> {
            let content;
            let parens = parenthesized!(content in input);
            let literal = content.parse::<LitStr>();
            if !content.is_empty() {
                let rest: TokenStream = content.parse()?;
                return Ok((
                    parens.span.join(),
                    Err(syn::Error::new_spanned(rest, "one name")),
                ));
            }
            Ok((parens.span.join(), literal))
        };
        let Ok((span, literal)) = parse(self.input) else {
            return Err(());
        };
        let spot = || TokenTree::Ident(Ident::new("_", span));
        let Ok(literal) = literal else {
            self.mistakes.push_with_help(
                spot(),
                format!("`{at}(…)` takes the name of one constraint"),
                format!("write `{at}(\"users_email_key\") => …`"),
            );
            return Err(());
        };
        if literal.value().is_empty() {
            self.mistakes
                .push(&literal, "the name of a constraint is never empty");
            return Err(());
        }
        if word.is_some_and(|word| !word.names_constraint) {
            self.mistakes.push_with_help(
                &literal,
                format!("no database names a constraint with `{at}`"),
                format!("write `{at} => …`"),
            );
            return Err(());
        }
        Ok(Some(literal))
    }

    fn wrong(&self, at: impl quote::ToTokens, takes: Takes, written: &str) {
        let message = format!("`{written}` takes {}", kind(takes));
        let help = format!("write `{}`", example(takes, written));
        self.mistakes.push_with_help(at, message, help);
    }

    /// Takes everything up to the next comma of this level.
    fn skip(&self) -> TokenStream {
        let mut skipped = TokenStream::new();
        while !self.input.is_empty() && !self.input.peek(Token![,]) {
            match self.input.parse::<TokenTree>() {
                Ok(tree) => skipped.extend([tree]),
                Err(_) => break,
            }
        }
        skipped
    }
}

fn parse_list(input: ParseStream<'_>) -> syn::Result<Punctuated<Ident, Token![,]>> {
    let content;
    parenthesized!(content in input);
    content.parse_terminated(Ident::parse_any, Token![,])
}

fn kind(takes: Takes) -> &'static str {
    match takes {
        Takes::Nothing | Takes::Later => "no value",
        Takes::Word(..) => "a word",
        Takes::Count => "a whole number",
        Takes::Duration => "a duration in quotes",
        Takes::Text => "a text in quotes",
        Takes::Expression => "an expression",
        Takes::Path => "a path",
        Takes::Words => "a list of errors",
    }
}

fn example(takes: Takes, name: &str) -> String {
    match takes {
        Takes::Nothing | Takes::Later => name.to_owned(),
        Takes::Word(words, _) => format!("{name} = {}", words.first().unwrap_or(&"…")),
        Takes::Count => format!("{name} = 5"),
        Takes::Duration => format!("{name} = \"5s\""),
        Takes::Text => format!("{name} = \"…\""),
        Takes::Expression => format!("{name} = self.{name}"),
        Takes::Path => format!("{name} = my_name_for_steadfast"),
        Takes::Words => format!("{name}(unique, timeout)"),
    }
}

fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}
