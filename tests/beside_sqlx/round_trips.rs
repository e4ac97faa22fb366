//! Row 12: what a transaction of two statements costs.

each_server! {
    use crate::beside_sqlx::{Doer, Failure, MENDED, Who, show};
    use futures_util::future::join_all;
    use std::time::{Duration, Instant};
    use xtask::proxy::{Proxy, Sent};

    const CALLS: u64 = 5;

    /// No row, so that nobody waits for anybody.
    const TOUCH: &str = "UPDATE accounts SET cents = 0 WHERE id = -1";

    async fn touches(doer: &Doer<Db>) -> Result<(), Failure> {
        let mut work = doer.begin().await?;
        work.execute(TOUCH).await?;
        work.execute(TOUCH).await?;
        work.commit().await
    }

    /// Round trips and pings of a call.
    async fn counts(who: Who) -> (u64, u64) {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
        let is_free = || eventually("it is free", || async { doer.is_free() });
        touches(&doer).await.unwrap();
        is_free().await;
        proxy.reset();
        for _ in 0..CALLS {
            touches(&doer).await.unwrap();
            is_free().await;
        }
        let pings = proxy.sent().iter().filter(|sent| **sent == Sent::Ping).count();
        let (trips, pings) = (proxy.round_trips() / CALLS, pings as u64 / CALLS);
        show(12, NAME, who, format_args!("a transaction of two statements: {trips} round trips, {pings} of them pings"));
        (trips, pings)
    }

    /// How long a saturated pool takes at 2 ms and more of round trip.
    async fn saturated(who: Who) -> Duration {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let doer = Doer::<Db>::connect(who, &proxy.url(), 2).await;
        let both = join_all([touches(&doer), touches(&doer)]).await;
        assert!(both.iter().all(Result::is_ok), "{both:?}");
        proxy.delay(Duration::from_millis(1));
        let began = Instant::now();
        let all = join_all((0..40).map(|_| touches(&doer))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        began.elapsed()
    }

    /// Row 12 of the design's table. SQLite has no round trips.
    #[tokio::test]
    async fn a_transaction_of_two_statements_pings_nobody() {
        assert_eq!(counts(Who::Sqlx).await, (6, 2), "{MENDED}");
        assert_eq!(counts(Who::Steadfast).await, (4, 0));
        // A figure; what it comes from is counted above.
        let (plain, ours) = (saturated(Who::Sqlx).await, saturated(Who::Steadfast).await);
        let ratio = plain.as_secs_f64() / ours.as_secs_f64();
        show(12, NAME, Who::Steadfast, format_args!("40 of them on 2 connections at 2 ms: {ours:.0?}, sqlx {plain:.0?}: {ratio:.2} x"));
    }
}
