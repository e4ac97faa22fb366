//! The owner is gone: at every poll of a call, COMMIT and hooks among them.

each_database! {
    use crate::hooks::seen::{Ran, Seen};
    use steadfast::{Error, Outcome, with_session};

    #[with_session]
    async fn call(session: &mut Session, id: i64, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        let slowly = seen.clone();
        session.on_commit(async move {
            for _ in 0..30 {
                tokio::task::yield_now().await;
            }
            slowly.note("slowly");
        });
        note(session, id).await?;
        // On a busy machine every answer is there at once, and no poll would end in the body.
        tokio::task::yield_now().await;
        Ok(())
    }

    #[tokio::test]
    async fn at_every_poll_the_hooks_know_the_truth() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (mut points, mut unstarted, mut committed, mut undone) = (0, 0, 0, 0);
        for polls in 1.. {
            let (id, seen) = (polls as i64, Seen::default());
            let before = place.count("notes").await;
            let done = drop_at_poll(call(&pool, id, &seen), polls).await;
            let ran = seen.settled(&pool).await;
            let kept = place.count("notes").await - before;
            match ran.outcome {
                None => {
                    unstarted += 1;
                    assert_eq!((ran, kept), (Ran::NOTHING, 0));
                }
                Some(Outcome::Committed) => {
                    committed += 1;
                    assert_eq!(seen.all(), ["commit", "end committed", "slowly"], "dropped at poll {polls}");
                    assert_eq!(kept, 1, "dropped at poll {polls}");
                }
                Some(outcome) => {
                    undone += 1;
                    assert_eq!((ran, kept), (Ran::rolled_back(outcome), 0), "dropped at poll {polls}: {:?}", seen.all());
                }
            }
            if let Some(done) = done {
                done.unwrap();
                break;
            }
            points += 1;
        }
        println!("{NAME:9} | {points} drops: {undone} undone, {committed} committed, {unstarted} before anything, each told once");
        assert!(undone > 0 && committed > 1, "some are dropped in the body ({undone}), and some in a hook that waits ({committed})");
        let counted = stats(concat!(module_path!(), "::call"));
        assert_eq!(counted.hooks_failed, 0);
        assert_eq!((counted.committed, counted.in_flight()), (committed, 0), "{counted:?}");
    }

    #[with_session]
    async fn waits_in_its_hook(session: &mut Session, gate: &'static tokio::sync::Semaphore, seen: &Seen) -> Result<(), Error> {
        seen.watch_as(session, "first ");
        let seen_inside = seen.clone();
        session.on_commit(async move {
            seen_inside.note("waits");
            gate.acquire().await.unwrap().forget();
            seen_inside.note("goes on");
        });
        seen.watch_as(session, "last ");
        note(session, 1).await?;
        Ok(())
    }

    /// A hook is not begun anew, and those behind it wait for it.
    #[tokio::test]
    async fn while_a_hook_runs_it_goes_on_alone() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let gate: &'static _ = Box::leak(Box::new(tokio::sync::Semaphore::new(0)));
        let seen = Seen::default();
        let waits = eventually("the hook waits", || async { seen.all().contains(&"waits".to_owned()) });
        drop_when(waits, waits_in_its_hook(&pool, gate, &seen)).await;
        assert_eq!(place.count("notes").await, 1);
        assert_eq!(pool.stats().in_use, 0, "the slot is free");
        assert_eq!((pool.sessions().len(), pool.stats().reaping), (1, 1));
        assert_eq!(seen.all(), ["first commit", "first end committed", "waits"]);
        gate.add_permits(1);
        quiet(&pool).await;
        assert_eq!(seen.all(), ["first commit", "first end committed", "waits", "goes on", "last commit", "last end committed"]);
        let counted = stats(concat!(module_path!(), "::waits_in_its_hook"));
        assert_eq!((counted.committed, counted.cancelled, counted.hooks_failed), (1, 1, 0));
    }

    /// `abort` drops a call on another thread, while a hook of it may be running there.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_aborted_task_leaves_its_hooks_to_the_reaper() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let gate: &'static _ = Box::leak(Box::new(tokio::sync::Semaphore::new(0)));
        let seen = Seen::default();
        let task = tokio::spawn({
            let (pool, seen) = (pool.clone(), seen.clone());
            async move { waits_in_a_task(&pool, gate, &seen).await }
        });
        eventually("the hook waits", || async { seen.all().contains(&"waits".to_owned()) }).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        gate.add_permits(1);
        quiet(&pool).await;
        assert_eq!(seen.all(), ["waits", "goes on", "commit", "end committed"]);
    }

    #[with_session]
    async fn waits_in_a_task(session: &mut Session, gate: &'static tokio::sync::Semaphore, seen: &Seen) -> Result<(), Error> {
        let seen_inside = seen.clone();
        session.on_commit(async move {
            seen_inside.note("waits");
            gate.acquire().await.unwrap().forget();
            seen_inside.note("goes on");
        });
        seen.watch(session);
        note(session, 1).await?;
        Ok(())
    }
}
