//! Token streams by chance: of words that the attributes know, or of sense that is disturbed.

use std::str::FromStr as _;

use fastrand::Rng;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::stack::Door;

const WORDS: &[&str] = &[
    // Options and their values.
    "after",
    "also",
    "autocommit",
    "base",
    "budget",
    "cap",
    "category",
    "conflict",
    "crate",
    "exponential",
    "fixed",
    "immediate",
    "isolation",
    "jitter",
    "join",
    "key",
    "lock_timeout",
    "map",
    "max",
    "name",
    "nested",
    "never",
    "on",
    "only",
    "or",
    "pool",
    "read_only",
    "recursive",
    "repeat",
    "retry",
    "serializable",
    "session",
    "statement_timeout",
    "timeout",
    "unknown",
    "verify_commit",
    "with_session",
    "within",
    "db_error_handling",
    "Database",
    "Retryable",
    // What functions, enums and structs are made of.
    "Error",
    "PgSession",
    "Result",
    "Self",
    "String",
    "_",
    "as",
    "async",
    "await",
    "const",
    "dyn",
    "enum",
    "extern",
    "fn",
    "for",
    "impl",
    "let",
    "mut",
    "pub",
    "r#fn",
    "self",
    "static",
    "struct",
    "transaction",
    "type",
    "u32",
    "unsafe",
    "where",
];

const LITERALS: &[&str] = &[
    "0",
    "1",
    "5",
    "007",
    "1_000",
    "3u8",
    "1.5",
    "1e400",
    "0xff",
    "true_",
    "'a'",
    "b'a'",
    "b\"a\"",
    "c\"a\"",
    "r#\"a\"#",
    "\"\"",
    "\"5s\"",
    "\"5 s\"",
    "\"-5s\"",
    "\"0s\"",
    "\"1e9s\"",
    "\"99999999999999999999h\"",
    "\"5s; DROP TABLE\"",
    "\"\\\"\"",
    "\"\\0\"",
    "\"\\n\"",
    "\"\\u{10ffff}\"",
    "\"ß\"",
    "340282366920938463463374607431768211456",
    "99999999999999999999999999999999999999999999999999",
];

/// Tokens by chance.
pub(super) struct Noise(Rng);

impl Noise {
    pub(super) fn with_seed(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    pub(super) fn tokens(&mut self, most: usize, deepest: usize) -> TokenStream {
        (0..self.0.usize(..=most))
            .map(|_| self.token(deepest))
            .collect()
    }

    fn token(&mut self, deepest: usize) -> TokenTree {
        match self.0.u8(..10) {
            0..4 => self.word(),
            4 | 5 => self.literal(),
            6 if deepest > 0 => {
                let kinds = [
                    Delimiter::Parenthesis,
                    Delimiter::Brace,
                    Delimiter::Bracket,
                    Delimiter::None,
                ];
                let kind = kinds[self.0.usize(..kinds.len())];
                Group::new(kind, self.tokens(4, deepest - 1)).into()
            }
            _ => {
                let signs = [
                    '=', ',', ':', '#', '&', '<', '>', '|', '-', ';', '.', '!', '?', '\'',
                ];
                let sign = signs[self.0.usize(..signs.len())];
                let is_joint = sign == '\'' || self.0.u8(..3) == 0;
                Punct::new(
                    sign,
                    if is_joint {
                        Spacing::Joint
                    } else {
                        Spacing::Alone
                    },
                )
                .into()
            }
        }
    }

    fn word(&mut self) -> TokenTree {
        let word = WORDS[self.0.usize(..WORDS.len())];
        match word.strip_prefix("r#") {
            Some(raw) => Ident::new_raw(raw, Span::call_site()).into(),
            None => Ident::new(word, Span::call_site()).into(),
        }
    }

    fn literal(&mut self) -> TokenTree {
        let literal = LITERALS[self.0.usize(..LITERALS.len())];
        Literal::from_str(literal)
            .unwrap_or_else(|_| Literal::string(literal))
            .into()
    }

    /// Sense with some of its tokens left out, doubled, exchanged or replaced, at any depth; but for what stands in braces
    /// that are `spared`: the body of a function is its author's, and comes out as it went in.
    pub(super) fn disturb(&mut self, sense: TokenStream, spared: bool) -> TokenStream {
        let mut tokens: Vec<TokenTree> = sense.into_iter().collect();
        for tree in &mut tokens {
            if let TokenTree::Group(group) = tree
                && !(spared && group.delimiter() == Delimiter::Brace)
            {
                let inner = self.disturb(group.stream(), spared);
                *tree = Group::new(group.delimiter(), inner).into();
            }
        }
        if !tokens.is_empty() && self.0.u8(..4) == 0 {
            let (at, other) = (self.0.usize(..tokens.len()), self.0.usize(..tokens.len()));
            match self.0.u8(..4) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, tokens[other].clone()),
                2 => tokens.swap(at, other),
                _ => tokens[at] = self.token(1),
            }
        }
        tokens.into_iter().collect()
    }

    pub(super) fn door(&mut self) -> Door {
        [Door::WithSession, Door::Retry, Door::DbErrorHandling][self.0.usize(..3)]
    }

    pub(super) fn one_of<T>(&mut self, mut all: Vec<T>) -> T {
        all.swap_remove(self.0.usize(..all.len()))
    }
}
