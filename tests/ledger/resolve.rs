//! The ledger cannot be asked at once, or nobody is there who would ask.

each_server! {
    use crate::hooks::seen::{Ran, Seen};
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use xtask::proxy::{Fault, Proxy, Sent};

    async fn set_up() -> (Place, Proxy, Pool) {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(2).await;
        pool.install().await.unwrap();
        (place, proxy, pool)
    }

    /// The question, and not the commit.
    fn asks(sent: &Sent) -> bool {
        sent.runs("steadfast_ledger") && !sent.runs("; COMMIT")
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn asks_twice(session: &mut Session) -> Result<u32, Error> {
        note(session, i64::from(session.attempt())).await?;
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn the_first_question_is_lost_as_well() {
        for commit in [Fault::CutAnswer, Fault::CutBefore] {
            for question in [Fault::CutAnswer, Fault::CutBefore] {
                let (place, proxy, pool) = set_up().await;
                proxy.on(|sent| sent.runs("COMMIT"), commit);
                proxy.on(asks, question);
                let attempt = asks_twice(&pool).await.unwrap();
                assert_eq!(attempt, if commit == Fault::CutAnswer { 1 } else { 2 }, "{commit:?}, {question:?}");
                assert_eq!((proxy.fired(), place.count("notes").await), (2, 1));
                assert_quiet(&pool);
            }
        }
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn is_left(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    #[tokio::test]
    async fn dropped_in_commit_the_reaper_asks_and_the_hooks_know() {
        for (fault, expected, rows) in [
            (Fault::HoldAnswer, Ran::committed(Outcome::Committed), 1),
            (Fault::HoldBefore, Ran::rolled_back(Outcome::RolledBack), 0),
        ] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let seen = Seen::default();
            drop_when(eventually("COMMIT is under way", || async { proxy.fired() == 1 }), is_left(&pool, &seen)).await;
            assert_eq!(seen.ran(), Ran::NOTHING);
            assert!(proxy.cut() > 0);
            assert_eq!(seen.settled(&pool).await, expected, "{fault:?}");
            assert_eq!(place.count("notes").await, rows, "{fault:?}");
        }
        let counted = stats(concat!(module_path!(), "::is_left"));
        assert_eq!((counted.committed, counted.rolled_back, counted.unknown, counted.cancelled), (1, 1, 0, 2), "{counted:?}");
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn is_left_asking(session: &mut Session, seen: &Seen, hooks: bool) -> Result<(), Error> {
        if hooks {
            seen.watch(session);
        }
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    /// Also where nothing but the counters want to know.
    #[tokio::test]
    async fn dropped_while_it_asks_the_reaper_goes_on_asking() {
        for hooks in [true, false] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            proxy.on(asks, Fault::HoldBefore);
            let seen = Seen::default();
            drop_when(eventually("it asks", || async { proxy.fired() == 2 }), is_left_asking(&pool, &seen, hooks)).await;
            assert_eq!(seen.ran(), Ran::NOTHING);
            let expected = if hooks { Ran::committed(Outcome::Committed) } else { Ran::NOTHING };
            assert_eq!(seen.settled(&pool).await, expected);
            assert_eq!(place.count("notes").await, 1);
            proxy.resume();
        }
        let counted = stats(concat!(module_path!(), "::is_left_asking"));
        assert_eq!((counted.committed, counted.unknown, counted.not_sent, counted.cancelled), (2, 0, 0, 2), "{counted:?}");
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn is_closed_upon(session: &mut Session) -> Result<u32, Error> {
        note(session, i64::from(session.attempt())).await?;
        Ok(session.attempt())
    }

    /// `close` waits for whoever has begun its COMMIT, with the question. For a further attempt it is too late.
    #[tokio::test]
    async fn a_pool_that_closes_still_asks() {
        for (fault, expected) in [(Fault::HoldAnswer, Ok(1)), (Fault::HoldBefore, Err((Category::Closed, Outcome::NotSent)))] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let is_cut_while_closing = async {
                eventually("COMMIT is under way", || async { proxy.fired() == 1 }).await;
                let (report, ()) = tokio::join!(pool.close(), async {
                    eventually("it is closed", || async { pool.is_closed() }).await;
                    assert!(proxy.cut() > 0);
                });
                report
            };
            let (ended, report) = tokio::join!(is_closed_upon(&pool), is_cut_while_closing);
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(ended.map_err(|error| (error.category(), error.outcome())), expected, "{fault:?}");
            assert_eq!(place.count("notes").await, i64::from(expected.is_ok()));
        }
    }

    #[with_session(timeout = "2s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn hasty(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deadline_that_passes_while_it_asks_leaves_the_rest_to_the_reaper() {
        for (fault, outcome, expected) in [
            (Fault::CutAnswer, Outcome::Committed, Ran::committed(Outcome::Committed)),
            (Fault::CutBefore, Outcome::RolledBack, Ran::rolled_back(Outcome::RolledBack)),
        ] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            proxy.on(asks, Fault::HoldBefore);
            let seen = Seen::default();
            let (ended, took) = leaping(|| async { proxy.fired() == 2 }, hasty(&pool, &seen)).await;
            assert!(about(2_100).contains(&took), "{took:?}");
            let error = ended.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
            assert_eq!(proxy.fired(), 2);
            assert_eq!(seen.settled(&pool).await, expected, "{fault:?}");
            assert_eq!(error.resolve(&pool).await.unwrap(), outcome);
            assert_eq!(error.resolve(&pool).await.unwrap(), outcome);
            assert_eq!(place.count("notes").await, i64::from(outcome == Outcome::Committed));
        }
        let counted = stats(concat!(module_path!(), "::hasty"));
        assert_eq!((counted.committed, counted.rolled_back, counted.unknown), (1, 1, 0), "{counted:?}");
        assert_eq!(counted.failed(Category::CommitUnknown), 2, "the callers were told so");
    }

    /// Tokens are deleted after a week: then one that is not there says nothing, and one that is there what it says.
    #[tokio::test]
    async fn an_old_token_that_is_not_there_proves_nothing() {
        for (is_kept, expected) in [(true, Outcome::Committed), (false, Outcome::Unknown)] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
            let seen = Seen::default();
            let (ended, _) = leaping(|| async { proxy.fired() == 1 }, hasty_once(&pool, &seen)).await;
            let error = ended.unwrap_err();
            proxy.resume();
            quiet(&pool).await;
            if !is_kept {
                sqlx::raw_sql("DELETE FROM steadfast_ledger").execute(&place.plain).await.unwrap();
            }
            let clock = Clock::stop();
            clock.skip(Duration::from_hours(24 * 8));
            assert_eq!(error.resolve(&pool).await.unwrap(), expected);
            drop(clock);
        }
    }

    #[with_session(timeout = "2s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn hasty_once(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn cut_off(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    /// Nothing is guessed while the server cannot be reached.
    /// Trap 9: the verification of a commit itself guesses.
    #[tokio::test]
    async fn without_a_server_it_stays_unknown_until_one_answers() {
        for (fault, outcome) in [(Fault::CutAnswer, Outcome::Committed), (Fault::CutBefore, Outcome::RolledBack)] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            // From here on there are only the connections that are open.
            proxy.refuse(true);
            let seen = Seen::default();
            let is_cut_off = || async {
                let is_lost = proxy.fired() == 1;
                if is_lost {
                    // The control connection.
                    proxy.cut();
                }
                // The end of the connection is on its way still: the time for COMMIT is not what is waited for.
                is_lost && pool.stats().in_use == 0
            };
            let (ended, took) = leaping(is_cut_off, cut_off(&pool, &seen)).await;
            assert!(took > Duration::from_secs(5) && took < about(10_000).end, "{took:?}");
            let error = ended.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
            assert_eq!(seen.ran(), Ran::ended(Outcome::Unknown));
            assert_quiet(&pool);
            proxy.refuse(false);
            assert_eq!(error.resolve(&pool).await.unwrap(), outcome);
            assert_eq!(place.count("notes").await, i64::from(outcome == Outcome::Committed));
        }
        assert_eq!(stats(concat!(module_path!(), "::cut_off")).unknown, 2);
    }
}
