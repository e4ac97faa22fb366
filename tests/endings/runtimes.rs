//! The runtime goes away, or there is none: dropping never panics and never blocks, and the server rolls back.

each_database! {
    use std::pin::Pin;
    use std::sync::mpsc::RecvTimeoutError;
    use std::task::{Context, Waker};
    use steadfast::{with_session, Category, Error, Outcome};
    use tokio::runtime::{Builder, Runtime};

    #[with_session]
    async fn works(session: &mut Session) -> Result<(), Error> {
        pay(session, 9, 1).await?;
        Ok(())
    }

    fn threads() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    fn single() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Does it on a plain thread, where no runtime is. What blocks there waits for somebody, be it the slow statement
    /// or nobody at all: neither comes in time.
    fn at_once(what: impl FnOnce() + Send + 'static) {
        let (done, is_done) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            what();
            done.send(())
        });
        if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            panic!("it blocked for {PATIENCE:?}");
        }
        thread.join().unwrap().unwrap();
    }

    async fn nothing_open(place: &Place) {
        place.has_open(0).await;
        assert_eq!(place.cents(1).await, 1000);
    }

    fn opened(runtime: &Runtime) -> (Place, Pool, steadfast::Session<Db>) {
        runtime.block_on(async {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let session = open(&pool).await;
            (place, pool, session)
        })
    }

    async fn open(pool: &Pool) -> steadfast::Session<Db> {
        let mut session = pool.begin().await.unwrap();
        pay(&mut session, 1, -500).await.unwrap();
        session
    }

    #[test]
    fn dropped_on_a_plain_thread_the_reaper_works_where_the_connection_lives() {
        let runtime = threads();
        let (place, pool, session) = opened(&runtime);
        at_once(move || drop(session));
        runtime.block_on(async {
            quiet(&pool).await;
            nothing_open(&place).await;
            works(&pool).await.unwrap();
            assert_eq!((pool.stats().opened, pool.stats().reaped), (1, 1));
        });
    }

    #[with_session]
    async fn waits(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[test]
    fn a_call_dropped_mid_statement_on_a_plain_thread() {
        let runtime = threads();
        let (place, pool, call) = runtime.block_on(async {
            let place = Place::new().await;
            let pool: &'static Pool = Box::leak(Box::new(place.pool(1).await));
            let mut call: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> = Box::pin(waits(pool));
            tokio::select! {
                ended = &mut call => panic!("{ended:?}"),
                () = place.slow_is_running() => {}
            }
            (place, pool, call)
        });
        at_once(move || drop(call));
        runtime.block_on(async {
            quiet(pool).await;
            nothing_open(&place).await;
            works(pool).await.unwrap();
            assert_eq!(pool.stats().opened, 1, "stopped, and the same connection serves on");
        });
    }

    #[test]
    fn dropped_after_its_runtime_has_shut_down() {
        for runtime in [threads(), single()] {
            let looker = single();
            let place = looker.block_on(Place::new());
            let (pool, session) = runtime.block_on(async {
                let pool = place.builder(2).connect().await.unwrap();
                let session = open(&pool).await;
                (pool, session)
            });
            drop(runtime);
            at_once(move || drop(session));
            assert_quiet(&pool);
            looker.block_on(nothing_open(&place));
            // The pool serves on another runtime, and its dead connections harm nobody.
            looker.block_on(async {
                works(&pool).await.unwrap();
                assert_eq!(place.cents(9).await, 1001);
                assert_quiet(&pool);
            });
            at_once(move || drop(pool));
        }
    }

    /// BEGIN could pass on such a connection, and the answer to COMMIT be lost.
    #[test]
    fn an_idle_connection_goes_with_its_runtime() {
        let looker = single();
        let place = looker.block_on(Place::new());
        let runtime = threads();
        let pool = runtime.block_on(async {
            let pool = place.builder(2).connect().await.unwrap();
            works(&pool).await.unwrap();
            pool
        });
        drop(runtime);
        looker.block_on(async {
            works(&pool).await.unwrap();
            works(&pool).await.unwrap();
            assert_eq!((pool.stats().opened, pool.stats().size), (2, 1));
            assert_eq!(place.cents(9).await, 1003);
            assert_quiet(&pool);
        });
    }

    #[test]
    fn its_runtime_shuts_down_while_another_uses_it() {
        let place_runtime = single();
        let place = place_runtime.block_on(Place::new());
        let first = threads();
        let (pool, mut session) = first.block_on(async {
            let pool = place.builder(1).connect().await.unwrap();
            let session = open(&pool).await;
            (pool, session)
        });
        drop(first);
        place_runtime.block_on(async {
            // On servers the socket answers for as long as nobody has to wait for it; SQLite needs no runtime.
            let used = pay(&mut session, 2, 500).await.map_err(Error::from);
            let ended = session.commit().await;
            for error in [used.as_ref().err(), ended.as_ref().err()].into_iter().flatten() {
                assert!(matches!(error.category(), Category::Connection | Category::CommitUnknown), "{error}");
                assert_ne!(NAME, "sqlite", "{error}");
            }
            // Who lost a connection is told before the server hears of it.
            place.has_open(0).await;
            let cents = (place.cents(1).await, place.cents(2).await);
            match &ended {
                Ok(()) => assert_eq!(cents, (500, 1500), "{used:?}"),
                Err(error) if error.outcome() == Outcome::Unknown => {
                    assert!([(500, 1500), (1000, 1000)].contains(&cents), "{cents:?}: {error}");
                }
                Err(error) => assert_eq!(cents, (1000, 1000), "{error}"),
            }
            assert_eq!(place.total().await, 10_000);
            assert_quiet(&pool);
            works(&pool).await.unwrap();
            assert_eq!(place.cents(9).await, 1001);
        });
    }

    #[test]
    fn a_task_that_ends_with_its_runtime() {
        let looker = single();
        let place = looker.block_on(Place::new());
        let runtime = threads();
        let pool = runtime.block_on(async { place.builder(1).connect().await.unwrap() });
        let task = runtime.spawn({
            let pool = pool.clone();
            async move { waits(&pool).await }
        });
        looker.block_on(place.has_open(1));
        assert!(!task.is_finished());
        at_once(move || runtime.shutdown_background());
        looker.block_on(async {
            nothing_open(&place).await;
            quiet(&pool).await;
            works(&pool).await.unwrap();
        });
    }

    #[test]
    fn without_a_runtime_a_call_says_so() {
        let runtime = threads();
        let (place, pool) = runtime.block_on(async {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            (place, pool)
        });
        let polled = {
            let mut call = std::pin::pin!(works(&pool));
            call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        let std::task::Poll::Ready(Err(error)) = polled else {
            panic!("{polled:?}")
        };
        assert_eq!(error.category(), Category::Programming);
        assert!(error.to_string().contains("runtime"), "{error}");
        assert_quiet(&pool);
        runtime.block_on(async {
            works(&pool).await.unwrap();
            drop(place);
        });
    }

    #[test]
    fn without_a_runtime_an_open_session_says_so_and_is_rolled_back() {
        for way in 0..4 {
            let runtime = threads();
            let (place, pool, session) = opened(&runtime);
            std::thread::spawn(move || {
                let mut session = session;
                let mut ending = Box::pin(async move {
                    match way {
                        0 => session.commit().await,
                        1 => pay(&mut session, 2, 1).await.map_err(Error::from),
                        2 => session.savepoint(async |session| Ok(pay(session, 2, 1).await?)).await,
                        _ => session.rollback().await,
                    }
                });
                let polled = ending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                match polled {
                    std::task::Poll::Ready(Err(error)) if way < 3 => {
                        assert!(error.to_string().contains("runtime"), "{way}: {error}");
                    }
                    std::task::Poll::Ready(Ok(())) if way == 3 => {}
                    other => panic!("{way}: {other:?}"),
                }
            }).join().unwrap();
            runtime.block_on(async {
                quiet(&pool).await;
                nothing_open(&place).await;
            });
        }
    }
}

/// Two runtimes, of which one goes.
mod two {
    each_server! {
        use std::time::Duration;
        use crate::hooks::seen::Seen;
        use steadfast::{Error, with_session};
        use tokio::runtime::{Builder, Runtime};
        use xtask::proxy::Fault;

        #[with_session]
        async fn noted(session: &mut Session, seen: &Seen) -> Result<(), Error> {
            note(session, 1).await?;
            seen.watch(session);
            Ok(())
        }

        fn threads() -> Runtime {
            Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
        }

        /// A COMMIT that was sent goes on where its connection lives, with limits that have nothing to do with the
        /// runtime on which it began.
        #[test]
        fn a_commit_outlives_the_runtime_of_its_caller() {
            let home = threads();
            let (place, proxy, pool) = home.block_on(async {
                let place = Place::new().await;
                let (proxy, pool) = place.behind_proxy(1).await;
                (place, proxy, pool)
            });
            let proxy = std::sync::Arc::new(proxy);
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
            let seen = Seen::default();
            let callers = threads();
            let call = callers.spawn({
                let (pool, seen) = (pool.clone(), seen.clone());
                async move { noted(&pool, &seen).await }
            });
            home.block_on(eventually("COMMIT is on its way", || async { proxy.fired() == 1 }));
            callers.shutdown_timeout(Duration::from_secs(10));
            drop(call);
            proxy.resume();
            home.block_on(async {
                quiet(&pool).await;
                eventually("its hooks have run", || async { seen.all().len() == 2 }).await;
                assert_eq!(seen.all(), ["commit", "end committed"]);
                assert_eq!((place.notes().await, pool.stats().opened), (vec![1], 1));
            });
        }
    }
}
