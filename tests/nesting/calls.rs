//! An annotated function called with a session is a savepoint of it.

each_database! {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::panic::AssertUnwindSafe;
    use std::task::Poll;
    use futures_util::FutureExt as _;
    use steadfast::{retry, with_session, Category, Error, Integrity, Outcome};

    /// How an inner call ends.
    #[derive(Clone, Copy, Debug)]
    enum End<'a> {
        Ok,
        Err,
        Panic,
        Never,
        NeverInStatement(&'a Place),
        /// `Ok`, having swallowed an error.
        Swallowed,
    }

    async fn end(session: &mut Session, id: i64, end: End<'_>) -> Result<(), Error> {
        note(session, id).await?;
        match end {
            End::Ok => Ok(()),
            End::Err => Err(transient()),
            End::Panic => panic!("inner"),
            End::Never => toll().await,
            End::NeverInStatement(place) => tokio::select! {
                result = sqlx::query(SLOW).execute(&mut *session) => Ok(result.map(drop)?),
                result = async { place.slow_is_running().await; toll().await } => result,
            },
            End::Swallowed => {
                note(session, id).await.expect_err("the id is taken");
                Ok(())
            }
        }
    }

    thread_local! {
        /// The innermost call wants to be dropped, where it stands.
        static KNELL: Cell<bool> = const { Cell::new(false) };
    }

    async fn toll<T>() -> T {
        KNELL.set(true);
        std::future::pending().await
    }

    /// What the outer one saw of an inner call.
    #[derive(Debug)]
    enum Saw {
        Ok,
        Err(Error),
        Panicked,
        Dropped,
    }

    async fn see(call: impl Future<Output = Result<(), Error>>) -> Saw {
        let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(Ok(Ok(()))) => Poll::Ready(Saw::Ok),
            Poll::Ready(Ok(Err(error))) => Poll::Ready(Saw::Err(error)),
            Poll::Ready(Err(_payload)) => Poll::Ready(Saw::Panicked),
            Poll::Pending if KNELL.take() => Poll::Ready(Saw::Dropped),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    #[with_session]
    async fn inner(session: &mut Session, id: i64, how: End<'_>) -> Result<(), Error> {
        end(session, id, how).await
    }

    /// Swallows whatever becomes of the inner call.
    #[with_session]
    async fn outer(session: &mut Session, how: End<'_>, saw: &mut Option<Saw>) -> Result<(), Error> {
        note(session, 1).await?;
        *saw = Some(see(inner(&mut *session, 2, how)).await);
        note(session, 3).await?;
        Ok(())
    }

    async fn run(place: &Place, pool: &Pool, how: End<'_>) -> (Saw, Result<(), Error>, Vec<i64>) {
        let mut saw = None;
        let result = outer(pool, how, &mut saw).await;
        assert_quiet(pool);
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(pool.stats().opened, 1, "one connection for all");
        (saw.unwrap(), result, place.notes().await)
    }

    #[tokio::test]
    async fn ok_stays() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = run(&place, &pool, End::Ok).await;
        assert!(matches!((&saw, &result), (Saw::Ok, Ok(()))), "{saw:?} {result:?}");
        assert_eq!(notes, [1, 2, 3]);
    }

    /// Trap 5: an inner rollback is swallowed, and half of the work stays.
    #[tokio::test]
    async fn err_is_undone_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = run(&place, &pool, End::Err).await;
        let Saw::Err(error) = &saw else { panic!("{saw:?}") };
        assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::RolledBack));
        assert!(error.operation().unwrap().ends_with("::inner"), "{error}");
        result.unwrap();
        assert_eq!(notes, [1, 3]);
    }

    #[tokio::test]
    async fn a_panic_that_the_outer_one_catches_is_undone_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = run(&place, &pool, End::Panic).await;
        assert!(matches!(saw, Saw::Panicked), "{saw:?}");
        result.unwrap();
        assert_eq!(notes, [1, 3]);
    }

    #[tokio::test]
    async fn dropped_it_is_undone_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = run(&place, &pool, End::Never).await;
        assert!(matches!(saw, Saw::Dropped), "{saw:?}");
        result.unwrap();
        assert_eq!(notes, [1, 3]);
    }

    #[tokio::test]
    async fn dropped_mid_statement_it_is_stopped_and_undone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = in_time(run(&place, &pool, End::NeverInStatement(&place))).await;
        assert!(matches!(saw, Saw::Dropped), "{saw:?}");
        if DROP_DOOMS_SESSION {
            assert_eq!(result.unwrap_err().outcome(), Outcome::RolledBack);
            assert!(notes.is_empty(), "{notes:?}");
        } else {
            result.unwrap();
            assert_eq!(notes, [1, 3]);
        }
    }

    /// Trap 4: an error is swallowed, then the work is committed.
    #[tokio::test]
    async fn what_it_swallows_dooms_it_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (saw, result, notes) = run(&place, &pool, End::Swallowed).await;
        result.unwrap();
        match &saw {
            Saw::Err(error) => {
                assert!(ERROR_DOOMS);
                assert_eq!((error.category(), error.outcome()), (Category::Integrity(Integrity::Unique), Outcome::RolledBack));
                assert_eq!(notes, [1, 3]);
            }
            saw => {
                assert!(!ERROR_DOOMS && matches!(saw, Saw::Ok), "{saw:?}");
                assert_eq!(notes, [1, 2, 3]);
            }
        }
    }

    #[with_session]
    async fn counted(session: &mut Session, id: i64, how: End<'_>) -> Result<(), Error> {
        end(session, id, how).await
    }

    #[with_session]
    async fn counts(session: &mut Session, well: bool) -> Result<(), Error> {
        for (id, how) in [(1, End::Ok), (2, End::Err), (3, End::Panic), (4, End::Never)] {
            see(counted(&mut *session, id, how)).await;
        }
        if well { Ok(()) } else { Err(transient()) }
    }

    #[tokio::test]
    async fn each_call_is_counted_by_what_became_of_its_savepoint() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        counts(&pool, true).await.unwrap();
        assert_eq!(place.notes().await, [1]);
        let inner = stats(concat!(module_path!(), "::counted"));
        assert_eq!((inner.started, inner.kept, inner.committed), (4, 1, 0), "{inner:?}");
        assert_eq!((inner.cancelled, inner.panicked, inner.in_flight()), (1, 1, 0), "{inner:?}");
        assert_eq!(inner.failed(Category::Capacity), 1);
        let outer = stats(concat!(module_path!(), "::counts"));
        assert_eq!((outer.committed, outer.kept), (1, 0));
        assert_eq!(pool.stats().opened, 1);
    }

    #[with_session]
    async fn passes_on(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        inner(&mut *session, 2, End::Err).await?;
        unreachable!()
    }

    #[tokio::test]
    async fn an_error_passed_on_undoes_everything() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = passes_on(&pool).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack);
        assert!(error.operation().unwrap().ends_with("::inner"), "the one that failed first stays named: {error}");
        assert_quiet(&pool);
        assert!(place.notes().await.is_empty());
    }

    #[tokio::test]
    async fn what_was_kept_goes_with_an_outer_one_that_fails() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        inner(&mut session, 1, End::Ok).await.unwrap();
        inner(&mut session, 2, End::Err).await.unwrap_err();
        assert!(place.notes().await.is_empty(), "nothing is visible before COMMIT");
        session.rollback().await.unwrap();
        assert_quiet(&pool);
        assert!(place.notes().await.is_empty());

        // By hand as well, and where the inner call's was the session's first statement.
        let mut session = pool.begin().await.unwrap();
        inner(&mut session, 1, End::Err).await.unwrap_err();
        inner(&mut session, 2, End::Ok).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, [2]);
        // And where an undone call is the last thing in it.
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 3).await.unwrap();
        inner(&mut session, 4, End::Err).await.unwrap_err();
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, [2, 3]);
    }

    #[with_session]
    async fn third(session: &mut Session, how: End<'_>) -> Result<(), Error> {
        end(session, 30, how).await
    }

    #[with_session]
    async fn second(session: &mut Session, how: End<'_>, deep: End<'_>, saw: &mut Vec<Saw>) -> Result<(), Error> {
        note(session, 20).await?;
        saw.push(see(third(&mut *session, deep)).await);
        end(session, 21, how).await
    }

    #[with_session]
    async fn first(session: &mut Session, how: End<'_>, deep: End<'_>, saw: &mut Vec<Saw>) -> Result<(), Error> {
        note(session, 10).await?;
        let inner = see(second(&mut *session, how, deep, &mut *saw)).await;
        saw.push(inner);
        note(session, 11).await?;
        third(&mut *session, End::Err).await.unwrap_err();
        note(session, 12).await?;
        Ok(())
    }

    /// Whatever a level does, it takes with it what is inside of it and nothing else.
    #[tokio::test]
    async fn three_deep_each_level_stands_for_itself() {
        for how in [End::Ok, End::Err, End::Panic, End::Never] {
            for deep in [End::Ok, End::Err, End::Panic, End::Never, End::Swallowed] {
                let place = Place::new().await;
                let pool = place.pool(1).await;
                let mut saw = Vec::new();
                first(&pool, how, deep, &mut saw).await.unwrap();
                let mut expected = vec![10, 11, 12];
                if matches!(how, End::Ok) {
                    expected.extend([20, 21]);
                    if matches!(deep, End::Ok) || (matches!(deep, End::Swallowed) && !ERROR_DOOMS) {
                        expected.push(30);
                    }
                }
                assert_eq!(place.notes().await, expected, "{how:?} {deep:?}: {saw:?}");
                assert_quiet(&pool);
                assert_eq!(saw.len(), 2);
            }
        }
    }

    #[with_session]
    #[retry(immediate, max = 5)]
    async fn insists(session: &mut Session, runs: &std::sync::atomic::AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        note(session, 2).await?;
        Err(transient())
    }

    /// Trap 15: nested retries multiply.
    #[tokio::test]
    async fn a_retry_inside_is_inert() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = std::sync::atomic::AtomicU32::new(0);
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let error = insists(&mut session, &runs).await.unwrap_err();
        assert_eq!(runs.into_inner(), 1);
        assert!(error.is_retryable(), "for the outermost to start over");
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, [1]);
    }

    /// A future that is neither run to its end nor dropped leaves its level open: nobody knows what was meant.
    #[tokio::test]
    async fn a_leaked_call_refuses_the_commit() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let mut call = Box::pin(inner(&mut session, 2, End::Never));
        assert!(matches!(see(call.as_mut()).await, Saw::Dropped));
        std::mem::forget(call);
        note(&mut session, 3).await.unwrap();
        let error = session.commit().await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{error}");
        assert_quiet(&pool);
        assert!(place.notes().await.is_empty());
        assert_eq!(place.open_transactions().await, 0);
    }
}
