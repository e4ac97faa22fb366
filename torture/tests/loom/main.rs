//! What calls share, under every order in which two or three threads may come to it, with up to three preemptions. The
//! sources are the product's own; `crate::sync` is its seam.

#![expect(
    clippy::pedantic,
    unreachable_pub,
    dead_code,
    reason = "read by tests, and the product's sources hold more than they need"
)]

mod stand_ins;

mod sync {
    pub use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub use loom::sync::{Mutex, MutexGuard};

    pub use crate::stand_ins::{Notify, OwnedSemaphorePermit, Semaphore};
}

mod error {
    pub use steadfast::{Category, Outcome};
}

mod operation {
    use std::time::Duration;

    use crate::error::{Category, Outcome};

    /// Counts nothing.
    pub struct Operation;

    impl Operation {
        pub fn name(&self) -> &'static str {
            "loom"
        }

        pub fn record_started(&self) {}

        pub fn record_ended(
            &self,
            _: Outcome,
            _nested: bool,
            _: Option<Category>,
            _cancelled: bool,
            _panicked: bool,
            _: Duration,
        ) {
        }
    }
}

#[path = "../../../runtime/src/retry/budget.rs"]
mod budget;
#[path = "../../../runtime/src/pool/registry.rs"]
mod registry;
#[path = "../../../runtime/src/pool/seats.rs"]
mod seats;
#[path = "../../../runtime/src/pool/stats.rs"]
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use budget::{Budget, RetryBudget};
use loom::future::block_on;
use loom::thread;
use operation::Operation;
use registry::{Entry, Registry};
use seats::Seats;
use stats::Tally;

/// Every order in which threads take turns, with so many turns at the most that somebody is made to give up.
fn in_every_order(what: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Relaxed);
        what();
    });
    let orders = orders.load(Relaxed);
    println!("{orders} orders");
    assert!(orders > 1, "the threads meet");
}

fn free(seats: &Arc<Seats>) -> usize {
    let taken: Vec<_> = std::iter::from_fn(|| seats.try_take()).collect();
    taken.len()
}

#[test]
fn a_seat_goes_back_while_the_pool_becomes_smaller() {
    in_every_order(|| {
        let seats = Seats::new(2);
        let held = seats.try_take().expect("a seat");
        let leaving = thread::spawn(move || drop(held));
        seats.resize(1, |_| unreachable!("there is room for two"));
        leaving.join().unwrap();
        assert_eq!((free(&seats), seats.max()), (1, 1));
    });
}

#[test]
fn the_pool_becomes_smaller_and_greater_at_once() {
    in_every_order(|| {
        let seats = Seats::new(2);
        let held = seats.try_take().expect("a seat");
        let other = Arc::clone(&seats);
        let shrinking = thread::spawn(move || other.resize(1, |_| ()));
        let other = Arc::clone(&seats);
        let leaving = thread::spawn(move || {
            drop(held);
            drop(other.try_take());
        });
        seats.resize(3, |_| ());
        shrinking.join().unwrap();
        leaving.join().unwrap();
        assert_eq!(free(&seats), seats.max());
    });
}

#[test]
fn a_connection_that_is_surplus_is_so_once() {
    in_every_order(|| {
        let seats = Seats::new(2);
        let ask = |mut seat: seats::Seat| thread::spawn(move || seat.is_surplus());
        let held = [seats.try_take(), seats.try_take()];
        let asking = held.map(|seat| ask(seat.expect("a seat")));
        seats.resize(1, |_| ());
        let gone = asking.map(|thread| usize::from(thread.join().unwrap()));
        assert!(gone.iter().sum::<usize>() <= 1);
        assert_eq!(free(&seats), 1);
    });
}

#[test]
fn whoever_waits_gets_a_seat_that_comes_free() {
    in_every_order(|| {
        let seats = Seats::new(1);
        let held = seats.try_take().expect("a seat");
        let other = Arc::clone(&seats);
        let waiting = thread::spawn(move || block_on(other.take()).is_some());
        drop(held);
        assert!(waiting.join().unwrap());
        assert_eq!((free(&seats), seats.waiting()), (1, 0));
    });
}

/// The one that is on its way may be one too many, and then it is not given.
#[test]
fn whoever_waits_while_the_pool_becomes_smaller_gets_a_seat_in_the_end() {
    in_every_order(|| {
        let seats = Seats::new(2);
        let held = [seats.try_take(), seats.try_take()];
        let other = Arc::clone(&seats);
        let waiting = thread::spawn(move || block_on(other.take()).is_some());
        let leaving = thread::spawn(move || drop(held));
        seats.resize(1, |_| ());
        leaving.join().unwrap();
        assert!(waiting.join().unwrap());
        assert_eq!((free(&seats), seats.waiting()), (1, 0));
    });
}

#[test]
fn whoever_waits_is_told_that_the_pool_is_closed() {
    in_every_order(|| {
        let seats = Seats::new(1);
        let held = seats.try_take();
        let other = Arc::clone(&seats);
        let waiting = thread::spawn(move || block_on(other.take()).is_none());
        seats.close();
        assert!(waiting.join().unwrap() && held.is_some());
        assert_eq!(seats.waiting(), 0);
    });
}

#[test]
fn two_retries_do_not_share_what_is_left_for_one() {
    in_every_order(|| {
        let budget = Arc::new(Budget::new(RetryBudget::new(3, 2)));
        let other = Arc::clone(&budget);
        let paying = thread::spawn(move || other.pay());
        let paid = [budget.pay(), paying.join().unwrap()];
        assert_eq!(paid.iter().filter(|paid| **paid).count(), 1);
    });
}

#[test]
fn what_is_paid_back_is_neither_lost_nor_more_than_the_bucket_holds() {
    in_every_order(|| {
        let budget = Arc::new(Budget::new(RetryBudget::new(4, 2)));
        assert!(budget.pay());
        let refill = |paid| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.refill(paid))
        };
        let refilling = [refill(true), refill(false)];
        let paid = usize::from(budget.pay());
        refilling
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // Three come back to two, which hold four at the most: of the odd one it depends whether it found room.
        let left = (0..).take_while(|_| budget.pay()).count();
        assert_eq!(paid + left, 2);
    });
}

/// A session goes to the reaper, and is counted there until it has ended.
#[test]
fn every_session_that_is_handed_over_ends_in_the_counters() {
    in_every_order(|| {
        let tally = Arc::new(Tally::default());
        let hand_over = || {
            tally.reaper_starts();
            let tally = Arc::clone(&tally);
            thread::spawn(move || tally.reaper_ends())
        };
        let reapers = [hand_over(), hand_over()];
        assert!(tally.reaping() <= 2);
        reapers
            .into_iter()
            .for_each(|reaper| reaper.join().unwrap());
        assert_eq!((tally.reaping(), tally.reaped()), (0, 2));
    });
}

/// Whoever closes a pool waits for the last of its sessions, which ends in the hands of the reaper.
#[test]
fn whoever_waits_for_the_last_session_does_not_miss_its_end() {
    static OPERATION: Operation = Operation;
    in_every_order(|| {
        let registry = Arc::new(Registry::default());
        let hand_over = || {
            let entry = Entry::new(&OPERATION, false);
            let listing = registry.list(&entry);
            thread::spawn(move || drop((listing, entry)))
        };
        let reapers = [hand_over(), hand_over()];
        block_on(registry.empty());
        assert!(registry.sessions().is_empty());
        reapers
            .into_iter()
            .for_each(|reaper| reaper.join().unwrap());
    });
}
