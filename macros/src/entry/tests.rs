//! Whatever is written where the attributes and the derive look, they do not panic: they say what is wrong, or write code
//! that parses. `STEADFAST_SEED` repeats a run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr as _;

use fastrand::Rng;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;
use syn::parse2;

use super::{attribute, derive};
use crate::stack::Door;

const ROUNDS: usize = 1_000;

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

struct Noise(Rng);

impl Noise {
    fn tokens(&mut self, most: usize, deepest: usize) -> TokenStream {
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
    fn disturb(&mut self, sense: TokenStream, spared: bool) -> TokenStream {
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

    fn door(&mut self) -> Door {
        [Door::WithSession, Door::Retry, Door::DbErrorHandling][self.0.usize(..3)]
    }
}

fn functions() -> [TokenStream; 4] {
    [
        quote! {
            #[retry(exponential, max = 5)]
            #[db_error_handling(retry(conflict), map(unique = Error::Taken))]
            pub async fn transfer(session: &mut PgSession, from: i64, cents: u32) -> Result<(), Error> { Ok(()) }
        },
        quote! {
            async fn named<'a, T: Send>(&self, #[session] transaction: &'a mut PgSession, one: T) -> Result<T, Error>
            where T: Clone { Ok(one) }
        },
        quote!(
            #[with_session]
            async fn lent(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
                Ok(())
            }
        ),
        quote!(
            fn plain() {}
        ),
    ]
}

fn arguments() -> [TokenStream; 4] {
    [
        quote!(timeout = "5s", isolation = serializable, read_only),
        quote!(
            exponential,
            max = 5,
            base = "10ms",
            cap = "1s",
            on(conflict, connection),
            verify_commit
        ),
        quote!(
            retry(conflict),
            map(
                unique("users_email_key") = Error::Taken,
                _ = Error::Database
            )
        ),
        quote!(
            autocommit,
            pool = self.pool,
            name = "a::b",
            crate = steadfast
        ),
    ]
}

fn errors() -> [TokenStream; 2] {
    [
        quote! {
            #[session(crate = steadfast)]
            enum Failure<T> where T: Clone {
                #[session(retry)] Busy,
                Held(#[from] steadfast::Error),
                #[session(category = conflict)] Other { source: sqlx::Error, more: T },
            }
        },
        quote!(
            struct Failure {
                #[session]
                source: steadfast::Error,
            }
        ),
    ]
}

fn one_of<const N: usize>(noise: &mut Noise, all: [TokenStream; N]) -> TokenStream {
    let at = noise.0.usize(..N);
    all.into_iter().nth(at).unwrap_or_default()
}

fn seed() -> u64 {
    std::env::var("STEADFAST_SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| seed.parse().expect("STEADFAST_SEED must be a number"),
    )
}

/// What is written has a diagnostic in it, or is code. `Some(true)` for a diagnostic.
#[track_caller]
fn assert_told(seed: u64, shown: &str, write: impl FnOnce() -> TokenStream) -> bool {
    let written = catch_unwind(AssertUnwindSafe(write));
    let Ok(written) = written else {
        panic!("seed {seed}: it panics at {shown}");
    };
    let is_told = written.to_string().contains("compile_error");
    if !is_told && let Err(error) = parse2::<syn::File>(written.clone()) {
        panic!("seed {seed}: {shown} gives no diagnostic, and is no code: {error}\n{written}");
    }
    is_told
}

fn attributes(of: impl Fn(&mut Noise) -> (TokenStream, TokenStream)) {
    let seed = seed();
    println!("STEADFAST_SEED={seed}");
    let mut noise = Noise(Rng::with_seed(seed));
    let mut told = 0;
    for _ in 0..ROUNDS {
        let door = noise.door();
        let (args, item) = of(&mut noise);
        let shown = format!("#[{}({args})] {item}", door.name());
        told += usize::from(assert_told(seed, &shown, || attribute(door, args, item)));
    }
    println!("{ROUNDS} streams, {told} with a diagnostic");
    assert!(told > ROUNDS / 4);
}

#[test]
fn noise_in_the_place_of_options() {
    attributes(|noise| (noise.tokens(8, 2), one_of(noise, functions())));
}

#[test]
fn noise_in_the_place_of_a_function() {
    attributes(|noise| (one_of(noise, arguments()), noise.tokens(16, 3)));
}

#[test]
fn sense_disturbed() {
    attributes(|noise| {
        let (args, item) = (one_of(noise, arguments()), one_of(noise, functions()));
        (noise.disturb(args, false), noise.disturb(item, true))
    });
}

#[test]
fn noise_and_sense_disturbed_under_the_derive() {
    let seed = seed();
    println!("STEADFAST_SEED={seed}");
    let mut noise = Noise(Rng::with_seed(seed));
    let mut told = 0;
    for round in 0..ROUNDS {
        let item = if round % 2 == 0 {
            noise.tokens(16, 3)
        } else {
            let sense = one_of(&mut noise, errors());
            noise.disturb(sense, false)
        };
        let shown = format!("#[derive(SessionError)] {item}");
        told += usize::from(assert_told(seed, &shown, || derive(item)));
    }
    println!("{ROUNDS} streams, {told} with a diagnostic");
    assert!(told > ROUNDS / 4);
}
