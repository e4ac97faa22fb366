//! A model of a session's life, explored to its end: every order in which statements, drops, errors, panics, deadlines,
//! answers, cancels and losses of the connection may come, up to three statements in each of two attempts. Each bug that can
//! be planted in a session's life breaks one of its properties.

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
use world::Rules;

/// Where errors doom, as on PostgreSQL, and where they do not.
const DATABASES: [Rules; 2] = [rules(true), rules(false)];

const fn rules(errors_doom: bool) -> Rules {
    Rules {
        statements: 3,
        errors: 2,
        errors_doom,
        plant: None,
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

/// The planted bug breaks this property; it may break others too.
fn assert_breaks(plant: Plant, name: &str) {
    let property = SAFETY
        .iter()
        .chain(LIVENESS)
        .find(|property| property.name == name)
        .expect("a property");
    let rules = Rules {
        plant: Some(plant),
        ..rules(true)
    };
    let Explored { worlds, broken, .. } = explore(rules, &[*property]);
    let Some((_, way)) = broken else {
        panic!(
            "{} does not break it that {name}, in {worlds} states",
            plant.name()
        );
    };
    println!(
        "{}: it is not so that {name}, seen among {worlds} states\n{way}",
        plant.name()
    );
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
