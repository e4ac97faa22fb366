//! Connections taken and given back by hand: the next user finds nothing of what was left.

each_database! {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};
    use sqlx::{Connection as _, Executor as _};
    use steadfast::{Category, Error, Lease, Outcome, Phase, SessionStage};
    use tokio::runtime::{Builder, Runtime};

    async fn run(lease: &mut Lease<Db>, text: &str) {
        sqlx::raw_sql(sql(text)).execute(&mut **lease).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    async fn serves(pool: &Pool, place: &Place) {
        let before = place.cents(9).await;
        pool.session("leases::serves", async |session| {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 9").execute(&mut *session).await?;
            Ok::<_, Error>(())
        }).await.unwrap();
        sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 9").execute(pool).await.unwrap();
        assert_eq!(place.cents(9).await, before + 2, "what the next users did is kept");
        assert_eq!(place.open_transactions().await, 0);
    }

    #[tokio::test]
    async fn a_lease_is_listed_and_counted_and_shows_no_secret() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut lease = pool.acquire().await.unwrap();
        let one: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1").fetch_one(&mut *lease).await.unwrap();
        assert_eq!(one, 1000);
        let listed = pool.sessions();
        assert_eq!((listed.len(), listed[0].operation, listed[0].stage), (1, "steadfast::acquire", SessionStage::Open));
        assert_eq!((listed[0].id, pool.stats().in_use), (lease.id(), 1));
        assert_eq!(format!("{lease:?}"), format!("Lease {{ operation: \"steadfast::acquire\", id: {}, .. }}", lease.id()));
        pool.release(lease).await.unwrap();
        assert_quiet(&pool);
        serves(&pool, &place).await;
    }

    /// Nothing left, nothing to do: the same connection serves on.
    #[tokio::test]
    async fn a_clean_lease_costs_no_connection() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let first: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
        for drops in [false, true, false, true] {
            let mut lease = pool.acquire().await.unwrap();
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = 1")).bind(1_i64)
                .execute(&mut *lease).await.unwrap();
            let mut transaction = lease.begin().await.unwrap();
            transaction.execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1").await.unwrap();
            transaction.commit().await.unwrap();
            if drops { drop(lease) } else { pool.release(lease).await.unwrap() }
            quiet(&pool).await;
            serves(&pool, &place).await;
        }
        assert_eq!(sqlx::query_scalar::<_, i64>(WHICH).fetch_one(&pool).await.unwrap(), first);
        assert_eq!((place.cents(1).await, pool.stats().opened), (1008, 1));
    }

    async fn waits_for_ever(pool: &Pool) {
        let error = pool.operation("leases::late").read_only().timeout(Duration::from_millis(50)).run(async |session| {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            Ok::<_, Error>(())
        }).await.unwrap_err();
        assert_eq!(error.category(), Category::Timeout, "{error}");
    }

    #[tokio::test]
    async fn it_takes_a_slot_and_says_when_there_is_none() {
        let place = Place::new().await;
        let pool = place.builder(1).acquire_timeout(Duration::from_millis(500)).connect().await.unwrap();
        let lease = pool.acquire().await.unwrap();
        waits_for_ever(&pool).await;
        let error = pool.acquire().await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Capacity, Phase::Acquire), "{error}");
        // One that waits and is dropped gives up its place.
        let waits = eventually("it waits", || async { pool.stats().waiting == 1 });
        drop_when(waits, pool.acquire()).await;
        assert_eq!((pool.stats().waiting, pool.sessions().len()), (0, 1));
        pool.release(lease).await.unwrap();
        assert_quiet(&pool);
        assert!(pool.close().await.is_clean());
        assert_eq!(pool.acquire().await.unwrap_err().category(), Category::Closed);
    }

    #[tokio::test]
    async fn close_waits_for_leases_and_their_release_works_meanwhile() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut lease = pool.acquire().await.unwrap();
        run(&mut lease, "UPDATE accounts SET cents = 5 WHERE id = 1").await;
        let closing = tokio::spawn({
            let pool = pool.clone();
            async move { pool.close().await }
        });
        eventually("it is closing", || async { pool.is_closed() }).await;
        assert!(!closing.is_finished());
        run(&mut lease, "UPDATE accounts SET cents = 6 WHERE id = 1").await;
        pool.release(lease).await.unwrap();
        assert!(closing.await.unwrap().is_clean());
        assert_eq!((place.cents(1).await, pool.stats().size), (6, 0));
    }

    #[tokio::test]
    async fn close_says_which_leases_it_left() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut lease = pool.acquire().await.unwrap();
        run(&mut lease, "UPDATE accounts SET cents = 5 WHERE id = 1").await;
        // Half a minute in no time.
        tokio::time::pause();
        let report = pool.close().await;
        tokio::time::resume();
        let [left] = &report.left[..] else { panic!("{report:?}") };
        assert_eq!((left.id, left.operation, left.stage), (lease.id(), "steadfast::acquire", SessionStage::Open));
        drop(lease);
        quiet(&pool).await;
        assert_eq!((pool.stats().size, place.open_transactions().await), (0, 0));
    }

    // --- transactions

    #[tokio::test]
    async fn what_sqlx_begins_on_it_is_a_transaction_of_its_own() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        // Whatever a session that lent the connection has left of sqlx's count.
        pool.session("leases::lends", async |session| {
            let mut inner = session.raw().await?.begin().await?;
            inner.execute("UPDATE accounts SET cents = cents + 1 WHERE id = 5").await?;
            inner.commit().await?;
            Ok::<_, Error>(())
        }).await.unwrap();
        for end in ["commit", "rollback", "drop", "forget"] {
            let mut lease = pool.acquire().await.unwrap();
            let mut transaction = lease.begin().await.unwrap();
            transaction.execute("UPDATE accounts SET cents = cents - 100 WHERE id = 1").await.unwrap();
            let mut nested = transaction.begin().await.unwrap();
            nested.execute("UPDATE accounts SET cents = cents + 100 WHERE id = 2").await.unwrap();
            nested.commit().await.unwrap();
            match end {
                "commit" => {
                    transaction.commit().await.unwrap();
                    assert_eq!((place.cents(1).await, place.cents(2).await), (900, 1100), "it is committed at once");
                }
                "rollback" => transaction.rollback().await.unwrap(),
                "drop" => drop(transaction),
                _ => std::mem::forget(transaction),
            }
            let released = pool.release(lease).await;
            assert_quiet(&pool);
            if end == "forget" {
                let error = released.unwrap_err();
                assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{error}");
            } else {
                released.unwrap();
            }
            assert_eq!((place.cents(1).await, place.cents(2).await), (900, 1100), "{end}");
            serves(&pool, &place).await;
        }
        assert_eq!(place.cents(5).await, 1001);
        // After all that sqlx counts anew.
        let mut lease = pool.acquire().await.unwrap();
        let mut transaction = lease.begin().await.unwrap();
        transaction.execute("UPDATE accounts SET cents = 7 WHERE id = 3").await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(place.cents(3).await, 7);
        pool.release(lease).await.unwrap();
        serves(&pool, &place).await;
    }

    #[tokio::test]
    async fn a_raw_transaction_left_open_is_rolled_back_and_release_says_so() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for drops in [false, true] {
            let mut lease = pool.acquire().await.unwrap();
            run(&mut lease, "BEGIN").await;
            run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
            assert_eq!(place.open_transactions().await, 1);
            if drops {
                drop(lease);
                quiet(&pool).await;
            } else {
                let error = pool.release(lease).await.unwrap_err();
                assert!(error.to_string().contains("transaction open"), "{error}");
                assert_quiet(&pool);
            }
            assert_eq!(place.cents(1).await, 1000);
            serves(&pool, &place).await;
        }
        assert_eq!(pool.stats().opened, 1, "the same connection");
    }

    #[tokio::test]
    async fn a_failed_transaction_left_open_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut lease = pool.acquire().await.unwrap();
        run(&mut lease, "BEGIN").await;
        run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
        assert!(lease.execute("SELEKT 1").await.is_err());
        assert!(pool.release(lease).await.is_err());
        assert_eq!((place.cents(1).await, pool.stats().opened), (1000, 1));
        serves(&pool, &place).await;
    }

    // --- mid-statement

    /// A statement of the lease is running on the server; its future is dropped here.
    async fn mid_statement(place: &Place, lease: &mut Lease<Db>, in_transaction: bool) {
        if in_transaction {
            run(lease, "BEGIN").await;
            run(lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
        }
        let slow = std::pin::pin!(sqlx::query(SLOW).execute(&mut **lease));
        tokio::select! {
            ended = slow => panic!("{ended:?}"),
            () = place.slow_is_running() => {}
        }
    }

    #[tokio::test]
    async fn mid_statement_it_is_cancelled_however_it_ends() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for drops in [true, false] {
            for in_transaction in [false, true] {
                let mut lease = pool.acquire().await.unwrap();
                mid_statement(&place, &mut lease, in_transaction).await;
                let began = Instant::now();
                if drops {
                    drop(lease);
                    quiet(&pool).await;
                } else {
                    // Where the statement took its transaction along, none is open any more.
                    let _ = pool.release(lease).await;
                    assert_quiet(&pool);
                }
                assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
                assert_eq!(place.cents(1).await, 1000);
                serves(&pool, &place).await;
            }
        }
        assert_eq!(pool.stats().opened, 1, "the same connection");
    }

    #[tokio::test]
    async fn with_a_stream_half_read() {
        use futures_util::StreamExt as _;
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for drops in [true, false] {
            let mut lease = pool.acquire().await.unwrap();
            {
                let mut rows = sqlx::query("SELECT a.id FROM accounts a, accounts b, accounts c, accounts d").fetch(&mut *lease);
                rows.next().await.unwrap().unwrap();
            }
            if drops { drop(lease) } else { pool.release(lease).await.unwrap() }
            quiet(&pool).await;
            serves(&pool, &place).await;
        }
    }

    // --- runtimes

    fn threads() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    fn drop_at_once<T>(what: T) {
        let began = Instant::now();
        drop(what);
        assert!(began.elapsed() < Duration::from_millis(500), "it blocked for {:?}", began.elapsed());
    }

    #[test]
    fn dropped_on_a_plain_thread_mid_transaction_and_mid_statement() {
        for in_statement in [false, true] {
            let runtime = threads();
            let (place, pool, lease) = runtime.block_on(async {
                let place = Place::new().await;
                let pool = place.pool(1).await;
                let mut lease = pool.acquire().await.unwrap();
                if in_statement {
                    mid_statement(&place, &mut lease, true).await;
                } else {
                    run(&mut lease, "BEGIN").await;
                    run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
                }
                (place, pool, lease)
            });
            std::thread::spawn(move || drop_at_once(lease)).join().unwrap();
            runtime.block_on(async {
                quiet(&pool).await;
                assert_eq!(place.cents(1).await, 1000);
                serves(&pool, &place).await;
                assert_eq!(pool.stats().opened, 1, "cleaned where it lives");
            });
        }
    }

    #[test]
    fn dropped_after_its_runtime_has_shut_down_it_is_closed() {
        let looker = Builder::new_current_thread().enable_all().build().unwrap();
        let place = looker.block_on(Place::new());
        let runtime = threads();
        let (pool, lease) = runtime.block_on(async {
            let pool = place.builder(1).connect().await.unwrap();
            let mut lease = pool.acquire().await.unwrap();
            run(&mut lease, "BEGIN").await;
            run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
            (pool, lease)
        });
        drop(runtime);
        drop_at_once(lease);
        assert_quiet(&pool);
        looker.block_on(async {
            eventually("nothing is open", || async { place.open_transactions().await == 0 }).await;
            assert_eq!(place.cents(1).await, 1000);
            serves(&pool, &place).await;
        });
    }

    #[test]
    fn released_without_a_runtime_it_says_so_and_is_cleaned() {
        let runtime = threads();
        let (place, pool, lease) = runtime.block_on(async {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut lease = pool.acquire().await.unwrap();
            run(&mut lease, "BEGIN").await;
            run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
            (place, pool, lease)
        });
        let there = pool.clone();
        std::thread::spawn(move || {
            let mut releasing: Pin<Box<dyn Future<Output = _>>> = Box::pin(there.release(lease));
            let polled = releasing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Err::<(), Error>(error)) = polled else { panic!("{polled:?}") };
            assert!(error.to_string().contains("runtime"), "{error}");
        }).join().unwrap();
        runtime.block_on(async {
            quiet(&pool).await;
            assert_eq!(place.cents(1).await, 1000);
            serves(&pool, &place).await;
        });
    }

    #[tokio::test]
    async fn a_release_that_is_dropped_goes_on() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for polls in 1..4 {
            let mut lease = pool.acquire().await.unwrap();
            run(&mut lease, "BEGIN").await;
            run(&mut lease, "UPDATE accounts SET cents = 0 WHERE id = 1").await;
            let _ = drop_at_poll(pool.release(lease), polls).await;
            quiet(&pool).await;
            assert_eq!(place.cents(1).await, 1000);
            serves(&pool, &place).await;
        }
        for polls in 1..4 {
            drop(drop_at_poll(pool.acquire(), polls).await);
            quiet(&pool).await;
            serves(&pool, &place).await;
        }
        assert_eq!(pool.stats().opened, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn its_futures_are_send() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        tokio::spawn({
            let pool = pool.clone();
            async move {
                let mut lease = pool.acquire().await?;
                let mut transaction = lease.begin().await?;
                transaction.execute("UPDATE accounts SET cents = 1 WHERE id = 1").await?;
                transaction.commit().await?;
                pool.release(lease).await
            }
        }).await.unwrap().unwrap();
        assert_eq!(place.cents(1).await, 1);
    }
}
