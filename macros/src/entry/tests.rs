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

/// What stands in the parentheses of an attribute and what it stands on, without a mistake.
struct Managed {
    door: Door,
    options: TokenStream,
    function: TokenStream,
}

fn managed() -> Vec<Managed> {
    let managed = |door, options, function| Managed {
        door,
        options,
        function,
    };
    vec![
        managed(
            Door::WithSession,
            quote!(timeout = "5s", isolation = serializable, nested = join),
            quote! {
                #[retry(exponential, max = 5, jitter = equal)]
                #[db_error_handling(unique => BankError::Taken, retryable => BankError::Busy)]
                pub async fn transfer(session: &mut PgSession, from: i64, cents: u32) -> Result<(), BankError> { Ok(()) }
            },
        ),
        managed(
            Door::WithSession,
            quote!(
                autocommit,
                pool = self.pool,
                name = "a::b",
                crate = steadfast
            ),
            quote! {
                async fn named<'a, T: Send>(&self, session: &mut PgSession, note: &'a str, one: T) -> Result<T, Error>
                where T: Clone { Ok(one) }
            },
        ),
        managed(
            Door::WithSession,
            quote!(
                recursive,
                read_only,
                lock_timeout = "250ms",
                statement_timeout = "1s"
            ),
            quote! {
                async fn walk<DB: Backend>(session: &mut Session<DB>, (from, to): (i64, i64)) -> Result<u32, Error> { Ok(0) }
            },
        ),
        managed(
            Door::Retry,
            quote!(
                exponential,
                max = 5,
                base = "10ms",
                cap = "1s",
                factor = 3,
                within = "10s",
                on(unique, timeout),
                verify_commit
            ),
            quote! {
                #[with_session]
                async fn lent(connection: &mut PgConnection) -> Result<(), sqlx::Error> { Ok(()) }
            },
        ),
        managed(
            Door::Retry,
            quote!(policy = HOT_ROWS, idempotent),
            quote! {
                async fn count(pool: &SqlitePool, mut seen: Vec<i64>) -> Result<i64, sqlx::Error> { Ok(0) }
            },
        ),
        managed(
            Door::DbErrorHandling,
            quote! {
                unique("users_email_key") => SignUpError::EmailTaken(email),
                foreign_key => SignUpError::NoSuchTenant,
                crate = steadfast,
            },
            quote! {
                #[steadfast::with_session(timeout = "1.5s")]
                async fn sign_up(session: &mut PgSession, email: String) -> Result<(), SignUpError> { Ok(()) }
            },
        ),
        managed(
            Door::DbErrorHandling,
            quote!(not_found => Missing, query => SomeError::Query { code: 7 }),
            quote! {
                fn plain() -> Result<(), SomeError> { Ok(()) }
            },
        ),
    ]
}

/// What the derive stands on, without a mistake.
fn errors() -> Vec<TokenStream> {
    vec![
        quote! {
            #[session(crate = steadfast)]
            enum Failure<T> where T: Clone {
                #[error("busy")] Busy,
                #[error(transparent)] #[session] Db(steadfast::Error),
                #[error("other")] Other { source: std::io::Error, more: T },
            }
        },
        quote! {
            pub(crate) enum ServiceError {
                #[error(transparent)]
                Repo(#[from] RepoError),
                #[error("the price list cannot be read")]
                Prices(#[source] Box<dyn std::error::Error + Send + Sync>),
                #[session]
                Db(#[source] Error),
            }
        },
    ]
}

fn one_of<T>(noise: &mut Noise, mut all: Vec<T>) -> T {
    all.swap_remove(noise.0.usize(..all.len()))
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

/// Has many items written, and says how many of them with a diagnostic in it.
fn many(write: impl Fn(&mut Noise, u64) -> bool) -> usize {
    let seed = seed();
    println!("STEADFAST_SEED={seed}");
    let mut noise = Noise(Rng::with_seed(seed));
    let told = (0..ROUNDS).filter(|_| write(&mut noise, seed)).count();
    println!("{ROUNDS} streams, {told} with a diagnostic");
    assert!(told > ROUNDS / 4);
    told
}

fn attributes(of: impl Fn(&mut Noise) -> Managed) -> usize {
    many(|noise, seed| {
        let Managed {
            door,
            options,
            function,
        } = of(noise);
        let shown = format!("#[{}({options})] {function}", door.name());
        assert_told(seed, &shown, || attribute(door, options, function))
    })
}

fn derives(of: impl Fn(&mut Noise) -> TokenStream) -> usize {
    many(|noise, seed| {
        let item = of(noise);
        let shown = format!("#[derive(SessionError)] {item}");
        assert_told(seed, &shown, || derive(item))
    })
}

/// Otherwise what is disturbed is no sense, and each stream ends at the same diagnostic.
#[track_caller]
fn assert_sense(shown: &str, written: &TokenStream) {
    assert!(
        !written.to_string().contains("compile_error"),
        "{shown} gives {written}"
    );
    if let Err(error) = parse2::<syn::File>(written.clone()) {
        panic!("{shown} is no code: {error}\n{written}");
    }
}

#[test]
fn sense_undisturbed_has_no_mistake() {
    for Managed {
        door,
        options,
        function,
    } in managed()
    {
        let shown = format!("#[{}({options})] {function}", door.name());
        assert_sense(&shown, &attribute(door, options, function));
    }
    for item in errors() {
        let shown = format!("#[derive(SessionError)] {item}");
        assert_sense(&shown, &derive(item));
    }
}

#[test]
fn noise_in_the_place_of_options() {
    attributes(|noise| Managed {
        options: noise.tokens(8, 2),
        ..one_of(noise, managed())
    });
}

#[test]
fn noise_in_the_place_of_a_function() {
    attributes(|noise| Managed {
        function: noise.tokens(16, 3),
        ..one_of(noise, managed())
    });
}

#[test]
fn the_options_of_one_on_the_function_of_another() {
    attributes(|noise| Managed {
        door: noise.door(),
        function: one_of(noise, managed()).function,
        ..one_of(noise, managed())
    });
}

#[test]
fn sense_disturbed() {
    let told = attributes(|noise| {
        let sense = one_of(noise, managed());
        Managed {
            door: sense.door,
            options: noise.disturb(sense.options, false),
            function: noise.disturb(sense.function, true),
        }
    });
    assert!(told < ROUNDS, "some of it still is sense");
}

#[test]
fn noise_under_the_derive() {
    derives(|noise| noise.tokens(16, 3));
}

#[test]
fn sense_disturbed_under_the_derive() {
    let told = derives(|noise| {
        let sense = one_of(noise, errors());
        noise.disturb(sense, false)
    });
    assert!(told < ROUNDS, "some of it still is sense");
}
