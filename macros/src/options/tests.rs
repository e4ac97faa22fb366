use proc_macro2::TokenStream;
use quote::quote;

use super::{Options, Table, Takes, read};
use crate::diagnostics::Mistakes;

const TABLE: Table = Table {
    of: "`#[test]`",
    options: &[
        ("flag", Takes::Nothing),
        ("level", Takes::Word(&["low", "high"], &["middle"])),
        ("max", Takes::Count(7)),
        ("wait", Takes::Duration),
        ("name", Takes::Text),
        ("pool", Takes::Expression),
        ("crate", Takes::Path),
        ("on", Takes::Words),
        ("later", Takes::Later),
    ],
    synonyms: &[("ceiling", "did you mean `max`?")],
    arms: false,
};

const ARMS: Table = Table {
    of: "`#[arms]`",
    options: &[("crate", Takes::Path)],
    synonyms: &[],
    arms: true,
};

fn read_with(table: &Table, tokens: TokenStream) -> (Options, String) {
    let mistakes = Mistakes::new();
    let options = read(table, &[&TABLE, &ARMS], tokens, &mistakes);
    (options, mistakes.into_tokens().to_string())
}

fn valid(tokens: TokenStream) -> Options {
    let (options, mistakes) = read_with(&TABLE, tokens);
    assert!(mistakes.is_empty(), "{mistakes}");
    options
}

/// Each of `expected` is reported, in this order, and nothing else is.
#[track_caller]
fn mistaken(table: &Table, tokens: TokenStream, expected: &[&str]) {
    let (_, mistakes) = read_with(table, tokens);
    let reported: Vec<&str> = mistakes.split("compile_error !").skip(1).collect();
    assert_eq!(reported.len(), expected.len(), "{mistakes}");
    for (reported, expected) in reported.iter().zip(expected) {
        assert!(reported.contains(expected), "{reported}\nlacks {expected}");
    }
}

#[test]
fn a_value_without_its_name_is_one_mistake() {
    let expected = &["`#[test]` takes options by name\\nhelp: the options are `flag`, "];
    mistaken(&TABLE, quote!(5), expected);
    mistaken(&TABLE, quote!(self.pool), expected);
    mistaken(&TABLE, quote!(pools::main()), expected);
    mistaken(
        &TABLE,
        quote!(levle: high),
        &["has no option `levle`\\nhelp: did you mean `level`?"],
    );
    mistaken(
        &ARMS,
        quote!("23505" => E),
        &["an arm of `#[arms]` starts with a word for the error\\nhelp: write `unique => "],
    );
}

#[test]
fn every_kind_of_value_is_read() {
    let options = valid(quote! {
        flag, level = high, max = 7, wait = "1.5s", name = "bank::transfer",
        pool = self.pools.get::<u8, u16>("main"), crate = ::a::b, on(unique, lock_timeout),
    });
    assert!(options.find("flag").is_some());
    assert_eq!(options.word("level").expect("level").to_string(), "high");
    assert_eq!(options.count("max").expect("max").0, 7);
    assert_eq!(options.duration("wait").expect("wait").0.as_millis(), 1_500);
    assert_eq!(
        options.text("name").expect("name").value(),
        "bank::transfer"
    );
    assert!(options.expression("pool").is_some());
    assert_eq!(options.path("crate").expect("crate").segments.len(), 2);
    let words: Vec<_> = options
        .words("on")
        .iter()
        .map(|(word, _)| word.kind)
        .collect();
    assert_eq!(words, ["Unique", "LockTimeout"]);
    let order: Vec<_> = options
        .given()
        .map(|given| given.name.to_string())
        .collect();
    assert_eq!(order[..3], ["flag", "level", "max"]);
}

#[test]
fn nothing_given_is_nothing_read() {
    let options = valid(TokenStream::new());
    assert!(options.find("flag").is_none() && options.count("max").is_none());
    assert!(options.words("on").is_empty());
}

#[test]
fn an_unknown_option_is_answered_with_its_neighbour_or_with_all() {
    mistaken(
        &TABLE,
        quote!(flga),
        &["has no option `flga`\\nhelp: did you mean `flag`?"],
    );
    mistaken(
        &TABLE,
        quote!(colour = 5),
        &["the options are `flag`, `level`, `max`"],
    );
    let (_, mistakes) = read_with(&TABLE, quote!(colour));
    assert!(!mistakes.contains("`later`"), "{mistakes}");
}

#[test]
fn a_second_of_a_name_is_refused_even_when_the_first_was_wrong() {
    mistaken(&TABLE, quote!(flag, flag), &["`flag` is given twice"]);
    mistaken(
        &TABLE,
        quote!(max = "a", max = 2),
        &["a whole number", "`max` is given twice"],
    );
}

#[test]
fn a_missing_value_is_told_from_a_wrong_one() {
    for option in [
        quote!(level),
        quote!(max),
        quote!(wait),
        quote!(name),
        quote!(pool),
    ] {
        mistaken(&TABLE, option.clone(), &["needs a value"]);
        mistaken(&TABLE, quote!(#option =), &["needs a value"]);
        mistaken(&TABLE, quote!(#option(5)), &["needs a value"]);
    }
}

#[test]
fn a_value_of_the_wrong_kind_says_what_the_right_one_looks_like() {
    for (tokens, expected) in [
        (quote!(flag = true), "`flag` takes no value"),
        (quote!(flag(5)), "`flag` takes no value"),
        (quote!(level = "high"), "help: write `level = high`"),
        (quote!(level = Level::High), "help: write `level = high`"),
        (quote!(level = self.level()), "write `low` or `high`"),
        (quote!(level = hihg), "did you mean `high`?"),
        (quote!(level = purple), "write `low` or `high`"),
        (quote!(max = -1), "`max` takes a whole number"),
        (quote!(max = 1.5), "help: write `max = 7`"),
        (quote!(max = 5u8), "help: write `max = 5`"),
        (quote!(max = 99999999999), "too large for `max`"),
        (quote!(max = 5 + 5), "`max` takes a whole number"),
        (quote!(wait = 5), "`wait` takes a duration in quotes"),
        (quote!(wait = "5"), "`5` has no unit"),
        (quote!(name = transfer), "`name` takes a text in quotes"),
        (quote!(name = ""), "`name` must not be empty"),
        (quote!(pool = ;), "`pool` takes an expression"),
        (quote!(crate = "steadfast"), "`crate` takes a path"),
        (quote!(on = unique), "`on` takes a list of errors"),
        (quote!(on("unique")), "`on` takes a list of errors"),
        (quote!(on()), "`on` names no error"),
        (quote!(on(uniqe)), "did you mean `unique`?"),
        (quote!(on(unique, unique)), "listed twice"),
    ] {
        mistaken(&TABLE, tokens, &[expected]);
    }
}

#[test]
fn a_missing_comma_is_named_and_the_rest_is_read() {
    for (tokens, expected) in [
        (quote!(flag max = 3), "help: write `, max`"),
        (quote!(max = 3 flag), "help: write `, flag`"),
        (
            quote!(pool = self.pool flag, max = 3),
            "help: write `, flag`",
        ),
        (quote!(on(unique) max = 3, flag), "help: write `, max`"),
        (quote!(flag; max = 3), "a comma belongs between two options"),
    ] {
        let (options, _) = read_with(&TABLE, tokens.clone());
        assert!(options.find("flag").is_some() || options.find("max").is_some());
        mistaken(&TABLE, tokens, &[expected]);
    }
    mistaken(&TABLE, quote!(flag purple), &["`flag` takes no value"]);
}

#[test]
fn a_comma_too_many_is_the_one_that_is_blamed() {
    mistaken(
        &TABLE,
        quote!(flag,, max = 3),
        &["nothing stands before this comma"],
    );
    mistaken(
        &TABLE,
        quote!(, flag),
        &["nothing stands before this comma"],
    );
    valid(quote!(flag,));
}

#[test]
fn an_option_of_another_macro_and_a_word_of_others_find_theirs() {
    mistaken(
        &ARMS,
        quote!(max = 3),
        &["help: `max` is an option of `#[test]`"],
    );
    mistaken(&TABLE, quote!(ceiling = 3), &["help: did you mean `max`?"]);
}

#[test]
fn what_is_known_and_not_there_says_so() {
    mistaken(&TABLE, quote!(later), &["`later` is not available yet"]);
    mistaken(
        &TABLE,
        quote!(later = "5s", flag),
        &["`later` is not available yet"],
    );
    mistaken(
        &TABLE,
        quote!(level = middle),
        &["`level = middle` is not available yet"],
    );
}

#[test]
fn all_mistakes_come_at_once_and_the_rest_is_read() {
    let tokens = quote!(flga, max = "a", 5, later, level = low, wait = "x", flag);
    let (options, _) = read_with(&TABLE, tokens.clone());
    assert!(options.find("flag").is_some());
    assert!(options.word("level").is_some());
    let expected = ["`flga`", "`max`", "by name", "`later`", "`wait`"];
    mistaken(&TABLE, tokens, &expected);
}

#[test]
fn arms_are_read_in_order_beside_options() {
    let tokens =
        quote!(unique("a_key") => E::A(1, 2), crate = x, integrity => E::B, not_found => e());
    let (options, mistakes) = read_with(&ARMS, tokens);
    assert!(mistakes.is_empty(), "{mistakes}");
    let arms: Vec<_> = options
        .arms
        .iter()
        .map(|arm| {
            (
                arm.word.name,
                arm.constraint.as_ref().map(syn::LitStr::value),
            )
        })
        .collect();
    let expected = [
        ("unique", Some("a_key".to_owned())),
        ("integrity", None),
        ("not_found", None),
    ];
    assert_eq!(arms, expected);
    assert!(options.path("crate").is_some());
}

#[test]
fn an_arm_that_is_none_says_why() {
    for (tokens, expected) in [
        (quote!(uniqe => A), "did you mean `unique`?"),
        (quote!(unique), "needs an error to translate to"),
        (
            quote!(unique | check => A),
            "one error\\nhelp: write an arm for each",
        ),
        (quote!(unique -> A), "an arm is written with `=>`"),
        (quote!(unique("a") -> A), "an arm is written with `=>`"),
        (quote!(unique = A), "an arm is written with `=>`"),
        (quote!(unique =>), "needs an error to translate to"),
        (
            quote!(unique => , timeout => B),
            "needs an error to translate to",
        ),
        (quote!(unique(a) => A), "the name of one constraint"),
        (quote!(unique("a", "b") => A), "the name of one constraint"),
        (quote!(unique("") => A), "never empty"),
        (quote!(timeout("a") => A), "no database names a constraint"),
        (
            quote!(unique => A timeout => B),
            "a comma belongs between two arms",
        ),
        (quote!(craet = x), "did you mean `crate`?"),
    ] {
        mistaken(&ARMS, tokens, &[expected]);
    }
}
