//! `close()` waits for hooks.

each_database! {
    use crate::hooks::seen::Seen;
    use std::time::Duration;
    use steadfast::{Error, SessionStage, with_session};

    async fn slowly(seen: Seen) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        seen.note("done");
    }

    #[with_session]
    async fn call(session: &mut Session, seen: &Seen, writes: bool) -> Result<(), Error> {
        session.on_commit(slowly(seen.clone()));
        session.on_rollback(slowly(seen.clone()));
        if writes {
            note(session, 1).await?;
        }
        std::future::pending().await
    }

    /// Also for those of a session that never held a connection, and whose reaper has not run yet.
    #[tokio::test]
    async fn for_those_of_a_call_that_was_dropped_just_now() {
        let place = Place::new().await;
        for writes in [true, false] {
            let pool = place.pool(1).await;
            let seen = Seen::default();
            let call = call(&pool, &seen, writes);
            if writes {
                drop_when(place.has_open(1), call).await;
            } else {
                assert!(drop_at_poll(call, 1).await.is_none());
            }
            let report = pool.close().await;
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(seen.all(), ["done"], "writes: {writes}");
        }
    }

    #[with_session]
    async fn ends_well(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        session.on_commit(slowly(seen.clone()));
        note(session, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn for_those_that_run() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        let closing = async {
            eventually("the hook runs", || async { pool.sessions().iter().any(|one| one.stage == SessionStage::Hooks) }).await;
            let report = pool.close().await;
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(seen.all(), ["done"]);
        };
        let (ended, ()) = tokio::join!(ends_well(&pool, &seen), closing);
        ended.unwrap();
    }

    #[with_session(timeout = "100ms")]
    async fn never_done(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        session.on_commit(std::future::pending::<()>());
        Ok(())
    }

    #[tokio::test]
    async fn for_one_that_never_ends_it_waits_and_then_says_so() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        never_done(&pool).await.unwrap();
        // Nothing happens but that 30 s pass.
        let clock = Clock::stop();
        clock.leap();
        let began = tokio::time::Instant::now();
        let report = pool.close().await;
        assert!(began.elapsed() >= Duration::from_secs(30), "{:?}", began.elapsed());
        assert_eq!(report.left.len(), 1, "{report:?}");
        assert_eq!(report.left[0].stage, SessionStage::Hooks);
        assert!(report.left[0].operation.ends_with("::never_done"));
        drop(clock);
        assert_eq!(place.count("notes").await, 1);
    }
}
