//! Many tasks at once, ending in every way: what was acknowledged is there, once, and nothing that was not.

each_database! {
    use std::collections::HashMap;
    use std::panic::AssertUnwindSafe;
    use futures_util::FutureExt as _;
    use steadfast::{retry, with_session, Error};

    const TASKS: i64 = 64;
    const CALLS: i64 = 6;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum End {
        Ok,
        /// Its second half in a savepoint.
        Nested,
        /// A savepoint that is undone, then the whole.
        Undone,
        Err,
        Panic,
        Rehearsal,
        /// Dropped behind any of its polls.
        Dropped,
        Late,
    }

    const ENDS: [End; 8] =
        [End::Ok, End::Nested, End::Undone, End::Err, End::Panic, End::Rehearsal, End::Dropped, End::Late];

    #[derive(Clone, Copy, Debug)]
    struct Transfer {
        id: i64,
        from: i64,
        to: i64,
        cents: i64,
        end: End,
    }

    #[with_session]
    async fn enter(session: &mut Session, transfer: Transfer, fail: bool) -> Result<(), Error> {
        let Transfer { id, from, to, cents, .. } = transfer;
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(format!("{id}:{from}:{to}:{cents}")).execute(&mut *session).await?;
        if fail { Err(transient()) } else { Ok(()) }
    }

    #[with_session(timeout = "20s")]
    #[retry(exponential, max = 10)]
    async fn transfer(session: &mut Session, transfer: Transfer) -> Result<(), Error> {
        let Transfer { from, to, cents, end, .. } = transfer;
        // In order, so that nobody waits in a circle.
        let (first, second) = if from < to { ((from, -cents), (to, cents)) } else { ((to, cents), (from, -cents)) };
        pay(session, first.0, first.1).await?;
        if end == End::Undone {
            enter(&mut *session, transfer, true).await.unwrap_err();
        }
        pay(session, second.0, second.1).await?;
        enter(&mut *session, transfer, false).await?;
        match end {
            End::Err => Err(sqlx::Error::RowNotFound.into()),
            End::Panic => panic!("chaos"),
            End::Rehearsal => {
                session.set_rollback_only();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[with_session(timeout = "1ms")]
    async fn late(session: &mut Session, how: Transfer) -> Result<(), Error> {
        transfer(&mut *session, how).await?;
        std::future::pending().await
    }

    /// Whether the caller knows that it is there, or that it is not.
    async fn run(pool: &Pool, how: Transfer, polls: usize) -> Option<bool> {
        let call = async {
            match how.end {
                End::Late => late(pool, how).await,
                _ => transfer(pool, how).await,
            }
        };
        let polls = if how.end == End::Dropped { polls } else { usize::MAX };
        match drop_at_poll(AssertUnwindSafe(call).catch_unwind(), polls).await {
            None => None,
            Some(Ok(Ok(()))) => Some(how.end != End::Rehearsal),
            Some(Ok(Err(error))) => {
                assert!(how.end != End::Ok || error.constraint().is_some() || error.code().is_some(), "{error}");
                Some(false)
            }
            Some(Err(_payload)) => Some(false),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn totals_are_conserved() {
        let seed = seed();
        println!("STEADFAST_SEED={seed}");
        let place = Place::new().await;
        let pool = place.pool(8).await;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let pool = pool.clone();
                let mut chance = fastrand::Rng::with_seed(seed.wrapping_add(task as u64));
                tokio::spawn(async move {
                    let mut seen = Vec::new();
                    for call in 0..CALLS {
                        let from = chance.i64(0..10);
                        let how = Transfer {
                            id: task * CALLS + call,
                            from,
                            to: (from + chance.i64(1..10)) % 10,
                            cents: chance.i64(1..400),
                            end: ENDS[chance.usize(..ENDS.len())],
                        };
                        let polls = chance.usize(1..16);
                        seen.push((how, run(&pool, how, polls).await));
                    }
                    seen
                })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            seen.extend(task.await.unwrap());
        }
        quiet(&pool).await;
        assert_eq!(place.open_transactions().await, 0);

        let kept: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, body FROM notes ORDER BY id").fetch_all(&place.plain).await.unwrap();
        let kept: HashMap<i64, String> = kept.into_iter().collect();
        let mut expected = [1000_i64; 10];
        let mut known: HashMap<(End, Option<bool>), u32> = HashMap::new();
        for (how, told) in &seen {
            *known.entry((how.end, *told)).or_default() += 1;
            if let Some(told) = told {
                assert_eq!(kept.contains_key(&how.id), *told, "{how:?}, seed {seed}");
            }
            if kept.contains_key(&how.id) {
                expected[how.from as usize] -= how.cents;
                expected[how.to as usize] += how.cents;
            }
        }
        let mut balances = Vec::new();
        for id in 0..10 {
            balances.push(place.cents(id).await);
        }
        // What each transfer did is there as a whole or not at all.
        assert_eq!(balances, expected, "seed {seed}");
        assert_eq!(balances.iter().sum::<i64>(), 10_000);
        assert!(balances.iter().all(|cents| *cents >= 0));

        // Every way of ending was met.
        for end in [End::Ok, End::Nested, End::Undone] {
            assert!(known.contains_key(&(end, Some(true))), "{end:?}: {known:?}");
        }
        for end in [End::Err, End::Panic, End::Rehearsal, End::Late] {
            assert!(known.contains_key(&(end, Some(false))), "{end:?}: {known:?}");
            assert!(!known.contains_key(&(end, Some(true))), "{end:?}: {known:?}");
        }
        assert!(known.contains_key(&(End::Dropped, None)), "{known:?}");

        let outer = stats(concat!(module_path!(), "::transfer"));
        assert_eq!((outer.in_flight(), outer.unknown), (0, 0), "{outer:?}");
        assert_eq!(outer.committed, kept.len() as u64, "the counters know the true outcomes: {outer:?}");
        assert!(outer.panicked > 0 && outer.cancelled > 0, "{outer:?}");
        assert!(pool.stats().reaped > 0, "some were dropped with a connection in their hands");
    }
}
