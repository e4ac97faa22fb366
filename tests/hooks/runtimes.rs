//! Hooks where the runtime goes away, or there is none: `on_end` is called, and what waits is reported as not run.

each_database! {
    use crate::hooks::seen::Seen;
    use std::task::{Context, Waker};
    use steadfast::{Error, with_session};
    use tokio::runtime::{Builder, Runtime};

    fn threads() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[with_session]
    async fn waits(session: &mut Session, seen: &Seen, writes: bool) -> Result<(), Error> {
        seen.watch(session);
        if writes {
            note(session, 1).await?;
        }
        std::future::pending().await
    }

    #[test]
    fn that_shuts_down() {
        let looker = threads();
        let place = looker.block_on(Place::new());
        for writes in [true, false] {
            let runtime = threads();
            let pool = runtime.block_on(async { place.pool(1).await });
            let seen = Seen::default();
            let task = {
                let (pool, seen) = (pool.clone(), seen.clone());
                runtime.spawn(async move { waits(&pool, &seen, writes).await })
            };
            looker.block_on(async {
                if writes {
                    place.has_open(1).await;
                } else {
                    eventually("it has begun", || async { stats(concat!(module_path!(), "::waits")).in_flight() == 1 }).await;
                }
            });
            assert!(!task.is_finished());
            drop(runtime);
            looker.block_on(quiet(&pool));
            assert_eq!(seen.all(), ["end not_sent"], "writes: {writes}");
        }
        let counted = stats(concat!(module_path!(), "::waits"));
        assert_eq!((counted.hooks_failed, counted.cancelled), (2, 2), "the two that could not run: {counted:?}");
        assert_eq!(looker.block_on(place.count("notes")), 0);
    }

    #[with_session]
    async fn waits_in_hook(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        session.on_commit(std::future::pending::<()>());
        let seen = seen.clone();
        session.on_end(move |outcome| seen.note(format!("last end {outcome}")));
        Ok(())
    }

    #[test]
    fn that_shuts_down_while_a_hook_runs() {
        let looker = threads();
        let place = looker.block_on(Place::new());
        let runtime = threads();
        let pool = runtime.block_on(async { place.pool(1).await });
        let seen = Seen::default();
        let task = {
            let (pool, seen) = (pool.clone(), seen.clone());
            runtime.spawn(async move { waits_in_hook(&pool, &seen).await })
        };
        looker.block_on(eventually("the hook runs", || async { seen.all().len() == 2 }));
        assert!(!task.is_finished());
        drop(runtime);
        looker.block_on(quiet(&pool));
        assert_eq!(seen.all(), ["commit", "end committed", "last end committed"]);
        let counted = stats(concat!(module_path!(), "::waits_in_hook"));
        assert_eq!((counted.hooks_failed, counted.committed), (1, 1), "{counted:?}");
        assert_eq!(looker.block_on(place.count("notes")), 1);
    }

    /// The reaper works where the connection lives, wherever the session is dropped.
    #[test]
    fn dropped_on_a_plain_thread_they_run_where_the_connection_lives() {
        let runtime = threads();
        let (place, pool) = runtime.block_on(async {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            (place, pool)
        });
        let seen = Seen::default();
        let session = runtime.block_on(async {
            let mut session = pool.begin().await.unwrap();
            seen.watch(&mut session);
            note(&mut session, 1).await.unwrap();
            session
        });
        std::thread::spawn(move || drop(session)).join().unwrap();
        runtime.block_on(async {
            quiet(&pool).await;
            assert_eq!(seen.all(), ["rollback", "end rolled_back"]);
            assert_eq!(place.count("notes").await, 0);
        });
    }

    /// Nothing is known of a runtime by a session that never had a connection.
    #[test]
    fn without_one_on_end_is_called_all_the_same() {
        let runtime = threads();
        let pool = runtime.block_on(async { Place::new().await.builder(1).connect_lazy().unwrap() });
        let seen = Seen::default();
        let mut call = Box::pin(waits_for_ever(&pool, &seen));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(call);
        assert_eq!(seen.all(), ["end not_sent"]);
        assert_quiet(&pool);
        // One that ends well without a connection needs no runtime.
        let seen = Seen::default();
        let mut call = Box::pin(waits_for_nothing(&pool, &seen));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(seen.all(), ["commit", "end not_sent"]);
        assert_quiet(&pool);
    }

    #[with_session]
    async fn waits_for_ever(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        std::future::pending().await
    }

    #[with_session]
    async fn waits_for_nothing(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        Ok(())
    }
}
