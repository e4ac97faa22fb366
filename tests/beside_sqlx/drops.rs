//! Rows 4, 8 and 17: a statement is dropped while the server is at it, or in the middle of a packet.

use std::time::Duration;

/// Row 4.
mod in_mid_statement {
    use super::*;

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

    mod servers {
        use super::{ENOUGH, Slot};

        each_server! {
            use super::{ENOUGH, Slot};
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
                let ours = drops(Who::Steadfast).await;
                assert!(ours.served_after.is_some() && !ours.runs_on, "{ours:?}");
            }
        }
    }

    mod sqlite {
        use super::{ENOUGH, Slot};
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
            let ours = drops(Who::Steadfast).await;
            assert!(ours.served_after.is_some(), "{ours:?}");
        }
    }
}

/// Rows 8 and 17.
mod in_mid_packet {
    use super::*;
    use crate::beside_sqlx::{Doer, MENDED, Who, every_point, freed_after, show};
    use crate::support::mysql::{Db, Place};
    use crate::support::{PATIENCE, drop_at_poll, eventually};
    use steadfast::Outcome;
    use tokio::time::timeout;
    use xtask::proxy::Proxy;

    const ANSWER: &str = "SELECT CAST(42 AS SIGNED)";

    /// Until then all that is on its way has arrived, in the one point that has to show it.
    const ARRIVED: Duration = Duration::from_millis(300);

    /// What the next statement of a transaction was answered, after its first prepared one was dropped.
    #[derive(Debug, PartialEq)]
    enum Next {
        Right,
        RefusedByUs,
        /// What no server said: another statement's answer, or bytes that are none.
        Nonsense(String),
        Silence,
    }

    async fn next(who: Who, proxy: &Proxy, polls: usize) -> Option<Next> {
        let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
        let mut work = doer.begin().await.unwrap();
        work.execute("DO 1").await.unwrap();
        proxy.trickle(1);
        let first = work.number("SELECT id, cents FROM accounts WHERE id = 1");
        let ended = drop_at_poll(first, polls).await;
        proxy.trickle(0);
        if ended.is_some() {
            return None;
        }
        let patience = if who == Who::Sqlx { ARRIVED } else { PATIENCE };
        let next = match timeout(patience, work.number(ANSWER)).await {
            Ok(Ok(42)) => Next::Right,
            Ok(Err(failure)) if failure.outcome() == Some(Outcome::RolledBack) => Next::RefusedByUs,
            Ok(Ok(number)) => Next::Nonsense(number.to_string()),
            Ok(Err(failure)) => Next::Nonsense(failure.to_string()),
            Err(_) => Next::Silence,
        };
        if who == Who::Steadfast {
            drop(work);
            let user = timeout(PATIENCE, doer.number(ANSWER)).await;
            assert_eq!(user.unwrap().unwrap(), 42, "the next user, at poll {polls}");
        }
        // What sqlx still holds would stay open on the server.
        proxy.cut();
        Some(next)
    }

    async fn nexts(who: Who) -> Vec<Next> {
        let place = Place::new().await;
        let all = every_point(&place.url, async |proxy, polls| {
            next(who, proxy, polls).await
        })
        .await;
        let count = |like: fn(&Next) -> bool| all.iter().filter(|next| like(next)).count();
        show(
            8,
            "mysql",
            who,
            format_args!(
                "the first prepare dropped at {} points, the next statement: {} answered right, {} refused, {} got nonsense, \
                 {} nothing",
                all.len(),
                count(|next| *next == Next::Right),
                count(|next| *next == Next::RefusedByUs),
                count(|next| matches!(next, Next::Nonsense(_))),
                count(|next| *next == Next::Silence),
            ),
        );
        all
    }

    /// Row 8 of the design's table. PostgreSQL's answers carry their kind, and sqlx counts there which are still to come;
    /// SQLite answers on a channel of each statement's own.
    #[tokio::test]
    async fn mysql_after_a_dropped_prepare_nobody_reads_its_answer_for_another() {
        let plain = nexts(Who::Sqlx).await;
        let is_nonsense = |next: &Next| matches!(next, Next::Nonsense(_));
        assert!(plain.iter().any(is_nonsense), "{MENDED}: {plain:?}");
        let ours = nexts(Who::Steadfast).await;
        assert!(ours.len() > 30, "too few points: {ours:?}");
        let honest = |next: &Next| matches!(next, Next::Right | Next::RefusedByUs);
        assert!(ours.iter().all(honest), "{ours:?}");
    }

    /// Whether the slot is free in time after a statement was dropped; `None` if it had ended before.
    async fn is_freed(
        doer: &Doer<Db>,
        proxy: &Proxy,
        polls: usize,
        limit: Duration,
    ) -> Option<bool> {
        proxy.trickle(1);
        let ended = drop_at_poll(doer.number(ANSWER), polls).await;
        proxy.trickle(0);
        if ended.is_some() {
            return None;
        }
        let is_free = eventually("it is free", || async { doer.is_free() });
        Some(timeout(limit, is_free).await.is_ok())
    }

    /// The first point at which sqlx does not give the slot back.
    async fn held_at() -> Option<usize> {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        for polls in 1.. {
            let doer = Doer::<Db>::connect(Who::Sqlx, &proxy.url(), 1).await;
            let freed = is_freed(&doer, &proxy, polls, ARRIVED).await?;
            if !freed && freed_after(&doer).await.is_none() {
                return Some(polls);
            }
            proxy.cut();
        }
        unreachable!("the call ends")
    }

    /// Row 17 of the design's table. PostgreSQL's messages are taken from the buffer whole; SQLite has no packets.
    #[tokio::test]
    async fn mysql_a_drop_in_the_middle_of_a_packet_frees_its_slot() {
        let held = held_at().await;
        show(
            17,
            "mysql",
            Who::Sqlx,
            format_args!("dropped at poll {held:?}: the only slot is taken for more than an hour"),
        );
        assert!(held.is_some(), "{MENDED}");

        let place = Place::new().await;
        let points = every_point(&place.url, async |proxy, polls| {
            let doer = Doer::<Db>::connect(Who::Steadfast, &proxy.url(), 1).await;
            assert!(
                is_freed(&doer, proxy, polls, PATIENCE).await?,
                "at poll {polls}"
            );
            assert_eq!(
                doer.number(ANSWER).await.unwrap(),
                42,
                "the next user, at poll {polls}"
            );
            Some(())
        })
        .await;
        show(
            17,
            "mysql",
            Who::Steadfast,
            format_args!(
                "dropped at {} points: the slot is free, and serves",
                points.len()
            ),
        );
        assert!(points.len() > 30, "too few points: {}", points.len());
    }
}
