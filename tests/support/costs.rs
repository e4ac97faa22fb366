//! What calls cost in round trips, counted by a proxy between the pool and the server.

use sqlx::Database;
use xtask::proxy::{Proxy, Sent};

/// How often each call is made for its figure; every one of them must cost the same.
const CALLS: u64 = 5;

/// The round trips of one call, once its statements are prepared: printed and compared. `call` answers whether it ended
/// as it should.
pub async fn count<DB: Database>(
    proxy: &Proxy,
    what: &str,
    expected: u64,
    call: impl AsyncFn() -> bool,
) {
    call().await;
    proxy.reset();
    for _ in 0..CALLS {
        assert!(call().await, "{what} did not end as it should");
    }
    let total = proxy.round_trips();
    print::<DB>(what, total as f64 / CALLS as f64);
    assert_eq!(total, expected * CALLS, "{what}: {:#?}", proxy.sent());
    assert!(!proxy.sent().contains(&Sent::Ping), "{what} pinged");
}

/// A line of the table.
pub fn print<DB: Database>(what: &str, round_trips: f64) {
    println!("{:10} | {what:58} | {round_trips:>4}", DB::NAME);
}
