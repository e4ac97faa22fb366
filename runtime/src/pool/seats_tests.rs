//! Seats, one after the other; `torture/tests/loom` has them at once.

use std::sync::Arc;
use std::task::{Context, Waker};

use super::seats::{Seat, Seats};

fn taken(seats: &Arc<Seats>) -> Vec<Seat> {
    std::iter::from_fn(|| seats.try_take()).collect()
}

#[test]
fn those_that_are_taken_stay_and_are_no_more_once_left() {
    let seats = Seats::new(4);
    let mut out = taken(&seats);
    assert_eq!(out.len(), 4);
    seats.resize(2, |_| unreachable!("there is room for two"));
    assert!(out.pop().is_some_and(|mut seat| seat.is_surplus()));
    drop(out.pop());
    assert!(seats.try_take().is_none());
    assert!(out.pop().is_some_and(|mut seat| !seat.is_surplus()));
    assert_eq!((taken(&seats).len(), seats.max()), (1, 2));
}

/// What deadpool gets wrong.
#[test]
fn up_and_down_again_leaves_the_number_that_was_asked_for() {
    let seats = Seats::new(10);
    let held = [seats.try_take(), seats.try_take()];
    let mut room = Vec::new();
    for max in [3, 10, 1, 12, 2, 5] {
        seats.resize(max, |max| room.push(max));
    }
    assert_eq!(taken(&seats).len(), 3);
    drop(held);
    assert_eq!(taken(&seats).len(), 5);
    assert_eq!(room, [12]);
}

/// Given to one who waited, and who was dropped before they knew.
#[test]
fn one_on_its_way_counts_as_taken() {
    let seats = Seats::new(2);
    let mut out = taken(&seats);
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = Box::pin(seats.take());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(out.pop());
    seats.resize(1, |_| ());
    drop(waiting);
    assert!(seats.try_take().is_none(), "one is out, and there is one");
    drop(out);
    assert_eq!(taken(&seats).len(), 1);
}

#[test]
fn a_surplus_that_is_needed_again_is_none() {
    let seats = Seats::new(3);
    let mut out = taken(&seats);
    seats.resize(1, |_| ());
    seats.resize(2, |_| ());
    let gone = out
        .iter_mut()
        .map(Seat::is_surplus)
        .filter(|&gone| gone)
        .count();
    drop(out);
    assert_eq!((gone, taken(&seats).len()), (1, 2));
}
