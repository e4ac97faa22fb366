//! What is written behind an option's name, held against what its table asks for.

use std::num::IntErrorKind;

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, LitInt, LitStr, Path, Token};

use super::reader::Reader;
use super::{Takes, Value};
use crate::words::{self, Word};
use crate::{duration, suggest};

impl Reader<'_, '_> {
    pub(super) fn value(&self, takes: Takes, name: &Ident, written: &str) -> Option<Value> {
        let value = match takes {
            Takes::Nothing => Some(Value::Nothing),
            Takes::Words => self.words(name, written),
            _ if !self.input.peek(Token![=]) => {
                self.blame(name, self.skip(), takes, "needs a value");
                return None;
            }
            _ => {
                // The peek above has seen it.
                let _ = self.input.parse::<Token![=]>();
                self.assigned(takes, name, written)
            }
        }?;
        if self.is_comma_missing() {
            return Some(value);
        }
        let rest = self.skip();
        if rest.is_empty() {
            return Some(value);
        }
        self.wrong(rest, takes, written);
        None
    }

    fn assigned(&self, takes: Takes, name: &Ident, written: &str) -> Option<Value> {
        if self.is_end() {
            self.blame(name, TokenStream::new(), takes, "needs a value");
            return None;
        }
        let read = match takes {
            Takes::Word(known, later) => self
                .take(word)
                .map(|word| self.known_word(word, known, later, written)),
            Takes::Count(_) => self
                .take(LitInt::parse)
                .map(|literal| self.count(literal, takes, written)),
            Takes::Duration => self
                .take(<LitStr as Parse>::parse)
                .map(|literal| self.duration(literal, written)),
            Takes::Text => self
                .take(<LitStr as Parse>::parse)
                .map(|literal| self.text(literal, written)),
            Takes::Expression => self
                .take(Expr::parse)
                .map(|read| Some(Value::Expression(read))),
            Takes::Path => self
                .take(Path::parse_mod_style)
                .map(|read| Some(Value::Path(read))),
            Takes::Nothing | Takes::Words | Takes::Later => None,
        };
        if read.is_none() {
            self.wrong(self.skip(), takes, written);
        }
        read.flatten()
    }

    /// Parses what comes next, or leaves it where it is.
    pub(super) fn take<T>(
        &self,
        parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
    ) -> Option<T> {
        let ahead = self.input.fork();
        let read = parse(&ahead).ok()?;
        self.input.advance_to(&ahead);
        Some(read)
    }

    fn count(&self, literal: LitInt, takes: Takes, written: &str) -> Option<Value> {
        let digits = literal.base10_digits();
        if !literal.suffix().is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            let suffix = literal.suffix();
            let message =
                format!("`{written}` takes a whole number without a type, and `{suffix}` is one");
            let help = format!("write `{written} = {digits}`");
            self.mistakes.push_with_help(&literal, message, help);
            return None;
        }
        match digits.parse() {
            Ok(count) => Some(Value::Count(count, literal)),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
                let message = format!("`{digits}` is too large for `{written}`");
                let help = format!("the largest is `{}`", u32::MAX);
                self.mistakes.push_with_help(&literal, message, help);
                None
            }
            Err(_) => {
                self.wrong(literal.to_token_stream(), takes, written);
                None
            }
        }
    }

    fn duration(&self, literal: LitStr, written: &str) -> Option<Value> {
        match duration::parse(&literal.value()) {
            Ok(duration) => Some(Value::Duration(duration, literal)),
            Err(why) => {
                let message = format!("`{written}` takes a duration: {why}");
                self.mistakes
                    .push_with_help(&literal, message, duration::EXAMPLES);
                None
            }
        }
    }

    fn text(&self, literal: LitStr, written: &str) -> Option<Value> {
        if literal.value().is_empty() {
            self.mistakes
                .push(&literal, format!("`{written}` must not be empty"));
            return None;
        }
        Some(Value::Text(literal))
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
        let group = self.take(<Group as Parse>::parse);
        let list = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let read = group
            .as_ref()
            .filter(|group| group.delimiter() == Delimiter::Parenthesis)
            .and_then(|group| {
                let list = |input: ParseStream<'_>| list(input, Ident::parse_any);
                list.parse2(group.stream()).ok()
            });
        let Some(list) = read else {
            let mut at = group.map(|group| group.stream()).unwrap_or_default();
            at.extend(self.skip());
            self.blame(name, at, Takes::Words, "takes a list of errors");
            return None;
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

    fn wrong(&self, at: TokenStream, takes: Takes, written: &str) {
        let message = format!("`{written}` takes {}", kind(takes));
        let help = match takes {
            Takes::Nothing => format!("write `{written}` alone, or leave it out"),
            Takes::Word(known, _) => match meant(&at, known) {
                Some(word) => format!("write `{written} = {word}`"),
                None => format!("write {}", alternatives(known)),
            },
            _ => format!("write `{}`", example(takes, written)),
        };
        self.mistakes.push_with_help(at, message, help);
    }

    /// Points at what stands behind an option, or at its name if there is nothing.
    fn blame(&self, name: &Ident, behind: TokenStream, takes: Takes, what: &str) {
        let at = if behind.is_empty() {
            name.to_token_stream()
        } else {
            behind
        };
        let help = format!("write `{}`", example(takes, &name.unraw().to_string()));
        self.mistakes
            .push_with_help(at, format!("`{name}` {what}"), help);
    }
}

/// A word that stands for itself: not the head of a path or of a call.
fn word(input: ParseStream<'_>) -> syn::Result<Ident> {
    let word = input.call(Ident::parse_any)?;
    if input.peek(Token![::]) || input.peek(Token![.]) {
        return Err(input.error("a path"));
    }
    Ok(word)
}

/// The word that was dressed up as something else: `"serializable"`, `Isolation::Serializable`.
fn meant(written: &TokenStream, known: &[&'static str]) -> Option<&'static str> {
    let last = written.clone().into_iter().last()?.to_string();
    suggest::nearest(last.trim_matches('"'), known.iter().copied())
}

fn kind(takes: Takes) -> &'static str {
    match takes {
        Takes::Nothing | Takes::Later => "no value",
        Takes::Word(..) => "a word",
        Takes::Count(_) => "a whole number",
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
        Takes::Count(example) => format!("{name} = {example}"),
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
