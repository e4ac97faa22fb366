//! Whatever is written where the attributes and the derive look, they do not panic: they say what is wrong, or write code
//! that parses. `STEADFAST_SEED` repeats a run.

mod noise;
mod sense;

use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::TokenStream;
use syn::parse2;

use self::noise::Noise;
use self::sense::{Managed, errors, managed};
use super::{attribute, derive};

const ROUNDS: usize = 1_000;

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
    let mut noise = Noise::with_seed(seed);
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
        ..noise.one_of(managed())
    });
}

#[test]
fn noise_in_the_place_of_a_function() {
    attributes(|noise| Managed {
        function: noise.tokens(16, 3),
        ..noise.one_of(managed())
    });
}

#[test]
fn the_options_of_one_on_the_function_of_another() {
    attributes(|noise| Managed {
        door: noise.door(),
        function: noise.one_of(managed()).function,
        ..noise.one_of(managed())
    });
}

#[test]
fn sense_disturbed() {
    let told = attributes(|noise| {
        let sense = noise.one_of(managed());
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
        let sense = noise.one_of(errors());
        noise.disturb(sense, false)
    });
    assert!(told < ROUNDS, "some of it still is sense");
}
