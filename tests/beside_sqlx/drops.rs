//! Row 4: a statement is dropped while the server is at it.

use std::time::Duration;

use crate::support::{PROMISED, TRIES, is_kept};

/// How long plain sqlx is waited for.
const ENOUGH: Duration = Duration::from_secs(2);

/// What came of the slot of a call that was dropped.
#[derive(Debug)]
struct Slot {
    /// When it served the next user, if it did so in time.
    served_after: Option<Duration>,
    /// Whether the dropped statement ran on then.
    runs_on: bool,
}

/// Drops a statement until its slot serves the next user within a second; that it serves him, and that the statement
/// is over, has to be so each time.
async fn assert_kept(drops: impl AsyncFn() -> Slot) {
    for _ in 0..TRIES {
        let slot = drops().await;
        assert!(!slot.runs_on, "the statement runs on: {slot:?}");
        if is_kept(slot.served_after.expect("the next user is served")) {
            return;
        }
    }
    panic!("{TRIES} times it took longer than {PROMISED:?}");
}

mod servers {
    use super::{ENOUGH, Slot, assert_kept};

    each_server! {
        use super::{ENOUGH, Slot, assert_kept};
        use crate::beside_sqlx::{Doer, MENDED, Who, show};
        use std::time::Instant;

        async fn drops(who: Who) -> Slot {
            let place = Place::new().await;
            let doer = Doer::<Db>::connect(who, &place.url, 1).await;
            let before = doer.number(WHICH).await.unwrap();
            let call = async {
                let mut work = doer.begin().await?;
                work.execute(SLOW).await
            };
            drop_when(place.slow_is_running(), call).await;
            let dropped = Instant::now();
            let patience = if who == Who::Sqlx { ENOUGH } else { PATIENCE };
            let next = tokio::time::timeout(patience, doer.number(WHICH)).await;
            let served_after = next.is_ok().then(|| dropped.elapsed());
            let slot = Slot { served_after, runs_on: place.runs_slow().await };
            if slot.runs_on {
                // It was that statement, and nothing else.
                place.cancel_slow().await;
                in_time(doer.number(WHICH)).await.unwrap();
            } else {
                assert_eq!(next.unwrap().unwrap(), before, "the same connection");
            }
            show(4, NAME, who, format_args!("a statement of 30 s, dropped: {slot:.1?} (waited {patience:?} at the most)"));
            slot
        }

        /// Row 4 of the design's table.
        #[tokio::test]
        async fn a_dropped_statement_is_cancelled_and_its_slot_serves_on() {
            let plain = drops(Who::Sqlx).await;
            assert!(plain.served_after.is_none() && plain.runs_on, "{MENDED}: {plain:?}");
            assert_kept(async || drops(Who::Steadfast).await).await;
        }
    }
}

mod sqlite {
    use super::{ENOUGH, Slot, assert_kept};
    use crate::after_drop::sqlite_alone::plain;
    use crate::beside_sqlx::{Doer, MENDED, Who, show};
    use crate::support::sqlite::{Place, SLOW};
    use crate::support::{PATIENCE, drop_when, in_time};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Instant;

    async fn drops(who: Who) -> Slot {
        let place = Place::new().await;
        let stop = Arc::<AtomicBool>::default();
        let doer = match who {
            Who::Sqlx => Doer::Sqlx(plain(&place, &stop).await),
            Who::Steadfast => Doer::Steadfast(place.pool(1).await),
        };
        let call = async {
            let mut work = doer.begin().await?;
            work.execute(SLOW).await
        };
        drop_when(place.slow_is_running(), call).await;
        let dropped = Instant::now();
        let patience = if who == Who::Sqlx { ENOUGH } else { PATIENCE };
        let next = tokio::time::timeout(patience, doer.number("SELECT 1")).await;
        let served_after = next.is_ok().then(|| dropped.elapsed());
        // What runs in this process nobody sees from outside: it held the slot if stopping it gives it back.
        stop.store(true, Relaxed);
        let freed = in_time(doer.number("SELECT 1")).await;
        if who == Who::Steadfast {
            assert_eq!(freed.unwrap(), 1);
        }
        let slot = Slot {
            served_after,
            runs_on: served_after.is_none(),
        };
        show(
            4,
            "sqlite",
            who,
            format_args!(
                "a statement of 30 s, dropped: {slot:.1?} (waited {patience:?} at the most)"
            ),
        );
        slot
    }

    /// Row 4 of the design's table.
    #[tokio::test]
    async fn a_dropped_statement_is_cancelled_and_its_slot_serves_on() {
        let plain = drops(Who::Sqlx).await;
        assert!(plain.served_after.is_none(), "{MENDED}: {plain:?}");
        assert_kept(async || drops(Who::Steadfast).await).await;
    }
}
