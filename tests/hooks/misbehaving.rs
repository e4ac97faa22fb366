//! A hook fails, panics, sleeps or never ends: the work stands, and the caller is back in time.

each_database! {
    use crate::hooks::seen::Seen;
    use std::time::Duration;
    use tokio::sync::Semaphore;
    use steadfast::{Category, Error, SessionStage, retry, with_session};

    /// What panics also when it is dropped.
    struct Sore(&'static str);

    impl Drop for Sore {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("{}", self.0);
            }
        }
    }

    async fn panics(words: &'static str) {
        panic!("{words}");
    }

    #[with_session]
    async fn misbehaves(session: &mut Session, seen: &Seen, fails: bool) -> Result<&'static str, Error> {
        note(session, 1).await?;
        seen.watch_as(session, "first ");
        for _ in 0..2 {
            session.on_commit(async { Err::<(), _>("the mail server is away") });
            session.on_rollback(async { Err::<(), _>("the mail server is away") });
        }
        session.on_commit(panics("a hook panics at commit"));
        session.on_rollback(panics("a hook panics at rollback"));
        session.on_commit(async {
            tokio::task::yield_now().await;
            panics("a hook panics later").await;
        });
        session.on_end(|outcome| panic!("a hook panics at the end: {outcome}"));
        let (one, other) = (Sore("of a hook that ran"), Sore("of a hook that did not run"));
        session.on_commit(async move { std::mem::forget(one); });
        session.on_rollback(async move { std::mem::forget(other); });
        seen.watch_as(session, "last ");
        if fails { Err(transient()) } else { Ok("the value") }
    }

    #[tokio::test]
    async fn failing_and_panicking_hooks_undo_nothing_and_stop_none_of_the_others() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (logs, guard) = support::logs::capture();
        let seen = Seen::default();
        assert_eq!(misbehaves(&pool, &seen, false).await.unwrap(), "the value");
        assert_eq!(seen.all(), ["first commit", "first end committed", "last commit", "last end committed"]);
        assert_eq!(place.count("notes").await, 1);
        let counted = stats(concat!(module_path!(), "::misbehaves"));
        // Two errors, two panics, that of `on_end`, and the rollback hook that panics when it is dropped.
        assert_eq!((counted.hooks_failed, counted.committed, counted.panicked), (6, 1, 0), "{}", logs.text());
        let reported = logs.events("steadfast::hooks", "hook", "on_commit");
        let (warnings, words): (Vec<_>, Vec<_>) = reported.into_iter().partition(|line| line.level == tracing::Level::WARN);
        assert_eq!((warnings.len(), words.len()), (4, 4));
        assert!(warnings.iter().any(|line| line.field("how") == Some("it answered an error")), "{warnings:?}");
        assert!(warnings.iter().any(|line| line.field("how") == Some("it panicked")), "{warnings:?}");
        // They may hold a value.
        assert!(words.iter().any(|line| line.field("words") == Some("the mail server is away")), "{words:?}");
        assert!(words.iter().any(|line| line.field("words") == Some("a hook panics later")), "{words:?}");
        assert!(words.iter().all(|line| line.level == tracing::Level::DEBUG));

        sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        let seen = Seen::default();
        misbehaves(&pool, &seen, true).await.unwrap_err();
        assert_eq!(seen.all(), ["first rollback", "first end rolled_back", "last rollback", "last end rolled_back"]);
        // Two errors, a panic, that of `on_end`, and the commit hook that panics when it is dropped.
        assert_eq!(stats(concat!(module_path!(), "::misbehaves")).hooks_failed, 11);
        assert_quiet(&pool);
        drop(guard);
    }

    #[with_session]
    async fn sore_in_a_savepoint(session: &mut Session, seen: &Seen, panics: bool) -> Result<(), Error> {
        note(session, i64::from(panics)).await?;
        let part = session.savepoint(async |session| {
            let (one, other, last) = (Sore("at commit"), Sore("at rollback"), Sore("at the end"));
            session.on_commit(async move { std::mem::forget(one); });
            session.on_rollback(async move { std::mem::forget(other); });
            session.on_end(move |_| std::mem::forget(last));
            if panics { panic!("the body's own") }
            Err::<(), _>(transient())
        });
        assert_eq!(part.await.unwrap_err().category(), Category::Capacity);
        seen.watch(session);
        Ok(())
    }

    /// What a hook holds may panic when it is dropped, also where that is because its savepoint is undone.
    #[tokio::test]
    async fn hooks_that_are_undone_with_their_savepoint_harm_nobody() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        sore_in_a_savepoint(&pool, &seen, false).await.unwrap();
        assert_eq!(seen.all(), ["commit", "end committed"]);
        assert_eq!(panic_of(sore_in_a_savepoint(&pool, &seen, true)).await, "the body's own");
        assert_eq!(stats(concat!(module_path!(), "::sore_in_a_savepoint")).hooks_failed, 3, "in a panic a sore says nothing");
        assert_quiet(&pool);
    }

    #[with_session]
    async fn throws_sores(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        note(session, 1).await?;
        session.on_commit(async { if true { std::panic::panic_any(Sore("thrown")) } });
        session.on_end(|_| std::panic::panic_any(Sore("thrown at the end")));
        seen.watch(session);
        Ok(())
    }

    #[tokio::test]
    async fn what_a_hook_throws_may_panic_when_it_is_dropped() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        throws_sores(&pool, &seen).await.unwrap();
        assert_eq!(seen.all(), ["commit", "end committed"]);
        assert_eq!(place.count("notes").await, 1);
    }

    async fn endless() {
        std::future::pending::<()>().await;
    }

    #[with_session]
    async fn never_done(session: &mut Session) -> Result<i64, Error> {
        note(session, 1).await?;
        session.on_commit(endless());
        Ok(7)
    }

    fn in_hooks(pool: &Pool) -> bool {
        let sessions = pool.sessions();
        !sessions.is_empty() && sessions.iter().all(|session| session.stage == SessionStage::Hooks)
    }

    #[tokio::test]
    async fn for_a_hook_that_never_ends_a_caller_waits_five_seconds() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (answer, took) = leaping(|| async { in_hooks(&pool) }, never_done(&pool)).await;
        assert_eq!(answer.unwrap(), 7);
        assert!(about(5000).contains(&took), "{took:?}");
        assert_eq!(pool.stats().in_use, 0, "the slot is free");
        assert_eq!(pool.sessions().len(), 1, "it goes on alone");
        assert_eq!(place.count("notes").await, 1);
    }

    #[with_session(timeout = "20s")]
    async fn never_done_in_time(session: &mut Session, way: i64, so_far: &Semaphore) -> Result<i64, Error> {
        note(session, way).await?;
        session.on_end(|_| ());
        session.on_commit(endless());
        session.on_rollback(endless());
        so_far.add_permits(1);
        match way {
            0 => Ok(7),
            1 => Err(transient()),
            2 => panic!("on purpose"),
            _ => {
                endless().await;
                Ok(7)
            }
        }
    }

    #[tokio::test]
    async fn with_a_deadline_the_caller_is_back_by_then() {
        let place = Place::new().await;
        for way in 0..4 {
            let pool = place.pool(1).await;
            let so_far = Semaphore::new(0);
            let call = async {
                match way {
                    2 => assert_eq!(panic_of(never_done_in_time(&pool, way, &so_far)).await, "on purpose"),
                    _ => assert_eq!(never_done_in_time(&pool, way, &so_far).await.is_ok(), way == 0),
                }
            };
            let clock = Clock::stop();
            let began = tokio::time::Instant::now();
            let passes = async {
                so_far.acquire().await.unwrap().forget();
                if way == 3 {
                    clock.skip(Duration::from_millis(20_001));
                }
                clock.eventually("its hooks run", || async { in_hooks(&pool) }).await;
                clock.leap();
            };
            tokio::join!(call, passes);
            let took = began.elapsed();
            assert!(about(20_100).contains(&took), "way {way}: {took:?}");
            drop(clock);
            assert_eq!(pool.stats().in_use, 0, "way {way}: the slot is free");
            assert_eq!(pool.sessions().len(), 1, "way {way}: it goes on alone");
        }
        assert_eq!(place.notes().await, [0]);
    }

    #[with_session]
    async fn sleeps(session: &mut Session, gate: &'static Semaphore, seen: &Seen) -> Result<(), Error> {
        note(session, 1).await?;
        let slow = seen.clone();
        session.on_commit(async move {
            gate.acquire().await.unwrap().forget();
            slow.note("slept");
        });
        Ok(())
    }

    #[tokio::test]
    async fn for_a_slow_hook_the_caller_waits_and_others_do_not() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        let gate: &'static _ = Box::leak(Box::new(Semaphore::new(0)));
        let others = async {
            eventually("the hook runs", || async { in_hooks(&pool) }).await;
            let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(&pool).await.unwrap();
            assert_eq!(rows, 1, "committed, and the slot is free");
            assert!(seen.all().is_empty());
            gate.add_permits(1);
        };
        let (ended, ()) = tokio::join!(sleeps(&pool, gate, &seen), others);
        ended.unwrap();
        assert_eq!(seen.all(), ["slept"], "the call answers behind its hooks");
        assert_quiet(&pool);
    }

    #[with_session]
    async fn writes_in_its_hooks(session: &mut Session, pool: &Pool, fails: bool, seen: &Seen) -> Result<(), Error> {
        note(session, 1).await?;
        for (is_commit, id) in [(true, 2), (false, 3)] {
            let (pool, seen) = (pool.clone(), seen.clone());
            let hook = async move {
                note_alone(&pool, id).await?;
                seen.note(format!("wrote {id}"));
                Ok::<_, Error>(())
            };
            if is_commit { session.on_commit(hook) } else { session.on_rollback(hook) }
        }
        if fails { Err(transient()) } else { Ok(()) }
    }

    #[with_session]
    async fn note_alone(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    /// On SQLite the turn among the writers is free as well.
    #[tokio::test]
    async fn a_hook_may_use_the_only_connection_of_its_pool() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let seen = Seen::default();
        writes_in_its_hooks(&pool, &pool, true, &seen).await.unwrap_err();
        assert_eq!((seen.all(), place.count("notes").await), (vec!["wrote 3".to_owned()], 1));
        writes_in_its_hooks(&pool, &pool, false, &seen).await.unwrap();
        assert_eq!((seen.all().len(), place.count("notes").await), (2, 3));
        assert_eq!(stats(concat!(module_path!(), "::writes_in_its_hooks")).hooks_failed, 0);
        assert_quiet(&pool);
    }

    #[with_session]
    #[retry(immediate, max = 2)]
    async fn retries_behind_an_endless_hook(session: &mut Session, pool: &Pool) -> Result<(), Error> {
        note(session, 1).await?;
        if session.attempt() == 1 {
            session.on_rollback(endless());
            return Err(transient());
        }
        assert_eq!(pool.sessions().len(), 2, "the hook of the first attempt, and the second: {:?}", pool.sessions());
        Ok(())
    }

    /// The two attempts share a record, and neither speaks for the other.
    #[tokio::test]
    async fn an_endless_hook_of_an_attempt_hides_neither_itself_nor_the_next() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        let passes = async {
            clock.eventually("its hook runs", || async { in_hooks(&pool) }).await;
            clock.skip(Duration::from_millis(5_001));
        };
        tokio::join!(retries_behind_an_endless_hook(&pool, &pool), passes).0.unwrap();
        drop(clock);
        let listed = pool.sessions();
        assert_eq!(listed.len(), 1, "{listed:?}");
    }
}
