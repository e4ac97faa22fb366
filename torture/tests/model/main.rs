//! A model of a session's life, explored to its end: every order in which statements, drops, errors, panics, deadlines,
//! answers, cancels and losses of the connection may come, up to three statements in each of two attempts. Each bug that can
//! be planted in a session's life breaks one of its properties, and no property is there that nothing breaks.

#![expect(
    clippy::pedantic,
    unreachable_pub,
    reason = "read by tests, and for what it shows"
)]

#[macro_use]
extern crate steadfast_tests;

mod caller;
mod explore;
mod implementation;
mod player;
mod properties;
mod server;
mod session;
mod trace;
mod traces;
mod world;

use explore::{Explored, explore};
use properties::{LIVENESS, Property, SAFETY};
use steadfast::__private::Plant;
use world::{Flaw, Rules};

/// Where errors doom, as on PostgreSQL, and where they do not.
const DATABASES: [Rules; 2] = [rules(true), rules(false)];

const fn rules(errors_doom: bool) -> Rules {
    Rules {
        statements: 3,
        errors: 2,
        errors_doom,
        plant: None,
        flaw: None,
    }
}

fn assert_holds(kind: &str, properties: &[Property]) {
    for rules in DATABASES {
        let explored = explore(rules, properties);
        let Explored { worlds, steps, .. } = explored;
        println!(
            "{kind}, errors doom: {:5} | {worlds} states, {steps} steps between them",
            rules.errors_doom
        );
        if let Some((property, way)) = explored.broken {
            panic!("it is not so that {property}\n{way}");
        }
        assert!(worlds > 10_000);
    }
}

#[test]
fn safety() {
    assert_holds("safety", SAFETY);
}

#[test]
fn liveness() {
    assert_holds("liveness", LIVENESS);
}

/// What is wrong breaks this property; it may break others too.
fn assert_broken(rules: Rules, what: &str, name: &str) {
    let property = SAFETY
        .iter()
        .chain(LIVENESS)
        .find(|property| property.name == name)
        .expect("a property");
    let Explored { worlds, broken, .. } = explore(rules, &[*property]);
    let Some((_, way)) = broken else {
        panic!("{what} does not break it that {name}, in {worlds} states");
    };
    println!("{what}: it is not so that {name}, seen among {worlds} states\n{way}");
}

fn assert_breaks(plant: Plant, name: &str) {
    let rules = Rules {
        plant: Some(plant),
        ..rules(true)
    };
    assert_broken(rules, plant.name(), name);
}

fn assert_flawed(flaw: Flaw, name: &str) {
    let rules = Rules {
        flaw: Some(flaw),
        ..rules(false)
    };
    assert_broken(rules, &format!("{flaw:?}"), name);
}

#[test]
fn a_lease_unproven_is_found() {
    assert_breaks(Plant::LeaseUnproven, "no lease returns unproven");
}

#[test]
fn doom_ignored_is_found() {
    assert_breaks(Plant::DoomIgnored, "no commit follows doom");
}

#[test]
fn what_is_unknown_and_retried_is_found() {
    assert_breaks(Plant::UnknownRetried, "no work is done twice");
}

#[test]
fn a_begin_that_nobody_owns_is_found() {
    assert_breaks(Plant::BeginNotOwned, "no lease returns unproven");
}

#[test]
fn a_cancel_that_comes_late_is_found() {
    assert_breaks(Plant::CancelLate, "no cancel hits anybody else");
}

#[test]
fn a_rollback_without_a_bound_is_found() {
    assert_breaks(Plant::RollbackUnbounded, "every session ends");
    assert_breaks(Plant::RollbackUnbounded, "every slot comes back");
}

#[test]
fn an_answer_taken_for_proof_is_found() {
    assert_breaks(Plant::AnswerTaken, "no lease returns unproven");
    assert_breaks(Plant::AnswerTaken, "the outcome is true");
}

#[test]
fn work_that_is_lost_in_the_middle_is_found() {
    assert_flawed(Flaw::Reopens, "the outcome is true");
    assert_flawed(Flaw::Reopens, "the caller is told the truth");
}

#[test]
fn a_second_end_is_found() {
    assert_flawed(Flaw::EndsEarly, "a session has one end");
}

#[test]
fn what_the_caller_is_told_wrongly_or_not_at_all_is_found() {
    assert_flawed(Flaw::TellsTheBody, "the caller is told the truth");
    assert_flawed(Flaw::TellsNobody, "every caller is told");
}
