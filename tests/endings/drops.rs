//! The caller drops the future of a call.

each_database! {
    use std::time::{Duration, Instant};
    use futures_util::StreamExt as _;
    use steadfast::{with_session, Error, SessionStage};

    async fn pay(session: &mut Session, id: i64, cents: i64) -> Result<(), sqlx::Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(cents).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    async fn which(session: &mut Session) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(WHICH).fetch_one(&mut *session).await
    }

    #[with_session]
    async fn serves(session: &mut Session) -> Result<i64, Error> {
        pay(session, 9, 1).await?;
        Ok(which(session).await?)
    }

    /// The pool's only connection is as good as new, and the next user's work is kept.
    async fn serves_on(place: &Place, pool: &Pool, before: i64) {
        let was = place.cents(9).await;
        assert_eq!(serves(pool).await.unwrap(), before, "the same server connection");
        assert_eq!(place.cents(9).await, was + 1);
        assert_eq!(pool.stats().opened, 1, "the same connection");
        assert_eq!(place.open_transactions().await, 0);
    }

    #[with_session]
    async fn never_polled(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn before_the_first_poll_nothing_has_begun() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        drop(never_polled(&pool));
        assert_quiet(&pool);
        assert_eq!(pool.stats().opened, 0);
        assert_eq!(stats(concat!(module_path!(), "::never_polled")).started, 0);
    }

    #[with_session]
    async fn queues(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, 1).await?;
        Ok(())
    }

    #[tokio::test]
    async fn while_acquiring_it_gives_up_its_place() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut holder = pool.begin().await.unwrap();
        pay(&mut holder, 2, 1).await.unwrap();
        let dropped = drop_after(queues(&pool), Duration::from_millis(30));
        let seen = async {
            eventually("it waits", || async {
                pool.sessions().iter().any(|session| session.stage == SessionStage::Waiting)
            }).await;
        };
        let (dropped, ()) = tokio::join!(dropped, seen);
        assert!(dropped.is_none());
        assert_eq!((pool.sessions().len(), pool.stats().waiting, pool.stats().in_use), (1, 0, 1));
        holder.commit().await.unwrap();
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1001));
        let queued = stats(concat!(module_path!(), "::queues"));
        assert_eq!((queued.started, queued.cancelled, queued.not_sent), (1, 1, 1));
        // The place in the queue is nobody's: the next one gets the slot.
        queues(&pool).await.unwrap();
        assert_eq!(place.cents(1).await, 1001);
    }

    #[with_session]
    async fn transfer(session: &mut Session, cents: i64) -> Result<(), Error> {
        pay(session, 1, -cents).await?;
        pay(session, 2, cents).await?;
        Ok(())
    }

    /// BEGIN, each statement, COMMIT: wherever a poll may end.
    #[tokio::test]
    async fn at_every_poll_the_work_is_whole_or_nothing() {
        let place = Place::new().await;
        // So that no answer is there before it is waited for.
        let proxy = (NAME != "sqlite").then(|| xtask::proxy::Proxy::before(&place.url).unwrap());
        let url = proxy.as_ref().map_or(place.url.clone(), |proxy| proxy.url());
        let pool = Pool::builder().primary(url).max_connections(1).connect().await.unwrap();
        if let Some(proxy) = &proxy {
            proxy.delay(Duration::from_millis(1));
        }
        let least = if NAME == "sqlite" { 1 } else { 4 };
        let (mut points, mut kept) = (0, 0);
        for polls in 1.. {
            let done = drop_at_poll(transfer(&pool, 1), polls).await;
            quiet(&pool).await;
            assert_eq!(place.open_transactions().await, 0, "dropped at poll {polls}");
            let (from, to) = (place.cents(1).await, place.cents(2).await);
            assert_eq!(from + to, 2000, "dropped at poll {polls}");
            kept = to - 1000;
            if let Some(done) = done {
                done.unwrap();
                break;
            }
            points += 1;
        }
        assert!(points >= least, "only {points} times did a call wait");
        let counted = stats(concat!(module_path!(), "::transfer"));
        assert_eq!((counted.started, counted.cancelled), (points + 1, points));
        assert_eq!((counted.unknown, counted.in_flight()), (0, 0));
        assert_eq!(counted.committed, u64::try_from(kept).unwrap(), "the counters know the true outcomes");
    }

    #[with_session]
    async fn sleeps_in_a_statement(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        sqlx::query(SLOW).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn mid_statement_the_slot_serves_the_next_within_a_second() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let connection = serves(&pool).await.unwrap();
        {
            let call = std::pin::pin!(sleeps_in_a_statement(&pool));
            tokio::select! {
                ended = call => panic!("{ended:?}"),
                () = slow_is_running(&place) => {}
            }
        }
        let began = Instant::now();
        serves_on(&place, &pool, connection).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 1000);
        let slept = stats(concat!(module_path!(), "::sleeps_in_a_statement"));
        assert_eq!((slept.cancelled, slept.rolled_back), (1, 1));
        assert_eq!(pool.stats().reaped, 1);
    }

    #[with_session]
    async fn waits_between_statements(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[tokio::test]
    async fn between_statements_it_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let connection = serves(&pool).await.unwrap();
        {
            let call = std::pin::pin!(waits_between_statements(&pool));
            tokio::select! {
                ended = call => panic!("{ended:?}"),
                () = eventually("it has written", || async { place.open_transactions().await == 1 }) => {}
            }
        }
        // Listed until the reaper is done, which has not run yet on this thread.
        assert_eq!(pool.sessions().len(), 1);
        assert_eq!(pool.stats().reaping, 1);
        assert!(quiet(&pool).await < Duration::from_secs(1));
        serves_on(&place, &pool, connection).await;
        assert_eq!(place.cents(1).await, 1000);
        let waited = stats(concat!(module_path!(), "::waits_between_statements"));
        assert_eq!((waited.cancelled, waited.rolled_back), (1, 1));
    }

    #[with_session]
    async fn reads_half(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        let mut rows = sqlx::query("SELECT a.id FROM accounts a, accounts b, accounts c").fetch(&mut *session);
        rows.next().await.unwrap()?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[tokio::test]
    async fn with_a_stream_half_read_it_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let connection = serves(&pool).await.unwrap();
        assert!(drop_after(reads_half(&pool), Duration::from_millis(50)).await.is_none());
        assert!(quiet(&pool).await < Duration::from_secs(1));
        serves_on(&place, &pool, connection).await;
        assert_eq!(place.cents(1).await, 1000);
    }

    /// `timeout` and `select!` are what drops futures in practice; `abort` drops them on another thread.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_aborted_task_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let task = tokio::spawn({
            let pool = pool.clone();
            async move { waits_in_a_task(&pool).await }
        });
        eventually("it has written", || async { place.open_transactions().await == 1 }).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(quiet(&pool).await < Duration::from_secs(1));
        assert_eq!(place.open_transactions().await, 0);
        assert_eq!(place.cents(1).await, 1000);
    }

    #[with_session]
    async fn waits_in_a_task(session: &mut Session) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        std::future::pending::<()>().await;
        Ok(())
    }
}

mod in_control_statements {
    each_server! {
        use std::time::Duration;
        use steadfast::{with_session, Error, SessionStage};
        use xtask::proxy::{Fault, Proxy};

        async fn behind(place: &Place) -> (Proxy, Pool) {
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
            (proxy, pool)
        }

        async fn note(session: &mut Session, id: i64) -> Result<(), sqlx::Error> {
            sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
                .bind(id).bind(format!("note {id}")).execute(&mut *session).await?;
            Ok(())
        }

        #[with_session]
        async fn begins(session: &mut Session, id: i64) -> Result<(), Error> {
            note(session, id).await?;
            Ok(())
        }

        fn is_begin(text: &str) -> bool {
            text.contains("BEGIN") || text.contains("START TRANSACTION")
        }

        /// Whether the server has seen it or not.
        #[tokio::test]
        async fn in_begin_the_slot_is_free_within_a_second() {
            let place = Place::new().await;
            let (proxy, pool) = behind(&place).await;
            for (id, fault) in [(1, Fault::HoldBefore), (2, Fault::HoldAnswer)] {
                proxy.on(|sent| matches!(sent, xtask::proxy::Sent::Query(text) if is_begin(text)), fault);
                let fired = proxy.fired();
                {
                    let call = std::pin::pin!(begins(&pool, id));
                    tokio::select! {
                        ended = call => panic!("{ended:?}"),
                        () = eventually("BEGIN is held", || async { proxy.fired() > fired }) => {}
                    }
                }
                assert_eq!(pool.sessions().len(), 1);
                let took = quiet(&pool).await;
                assert!(took < Duration::from_secs(1), "{fault:?}: {took:?}");
                // The next one is served while the held one is still on its way.
                begins(&pool, 10 + id).await.unwrap();
                assert_eq!(place.count("notes").await, i64::from(id as i32));
                proxy.resume();
                eventually("nothing is open", || async { place.open_transactions().await == 0 }).await;
            }
            assert_eq!(proxy.fired(), 2);
            let begun = stats(concat!(module_path!(), "::begins"));
            assert_eq!((begun.cancelled, begun.not_sent, begun.committed), (2, 2, 2));
        }

        #[with_session]
        async fn commits(session: &mut Session, id: i64) -> Result<(), Error> {
            note(session, id).await?;
            Ok(())
        }

        #[tokio::test]
        async fn in_commit_it_runs_to_its_end() {
            let place = Place::new().await;
            let (proxy, pool) = behind(&place).await;
            for (id, fault) in [(1, Fault::HoldBefore), (2, Fault::HoldAnswer)] {
                proxy.on(|sent| sent.runs("COMMIT"), fault);
                let fired = proxy.fired();
                {
                    let call = std::pin::pin!(commits(&pool, id));
                    tokio::select! {
                        ended = call => panic!("{ended:?}"),
                        () = eventually("COMMIT is held", || async { proxy.fired() > fired }) => {}
                    }
                }
                let listed = pool.sessions();
                assert_eq!(listed.len(), 1);
                assert_eq!(listed[0].stage, SessionStage::Ending);
                assert_eq!(pool.stats().in_use, 1);
                let before = stats(concat!(module_path!(), "::commits"));
                assert_eq!(before.in_flight(), 1, "what it came to is not known yet: {before:?}");
                proxy.resume();
                quiet(&pool).await;
                assert_eq!(place.count("notes").await, id);
                assert_eq!(place.open_transactions().await, 0);
                let after = stats(concat!(module_path!(), "::commits"));
                assert_eq!((after.committed, after.cancelled, after.unknown), (id as u64, id as u64, 0));
            }
            assert_eq!((proxy.fired(), pool.stats().opened), (2, 1));
        }

        #[with_session]
        async fn rolls_back(session: &mut Session) -> Result<(), Error> {
            note(session, 1).await?;
            Err(transient())
        }

        #[tokio::test]
        async fn in_rollback_it_goes_on_without_its_owner() {
            let place = Place::new().await;
            let (proxy, pool) = behind(&place).await;
            proxy.on(|sent| sent.runs("ROLLBACK"), Fault::HoldBefore);
            {
                let call = std::pin::pin!(rolls_back(&pool));
                tokio::select! {
                    ended = call => panic!("{ended:?}"),
                    () = eventually("ROLLBACK is held", || async { proxy.fired() == 1 }) => {}
                }
            }
            assert!(quiet(&pool).await < Duration::from_secs(1));
            eventually("nothing is open", || async { place.open_transactions().await == 0 }).await;
            begins_after(&pool).await.unwrap();
            assert_eq!(place.count("notes").await, 1);
        }

        #[with_session]
        async fn begins_after(session: &mut Session) -> Result<(), Error> {
            note(session, 5).await?;
            Ok(())
        }
    }
}

/// On SQLite the waits for another process's lock are ours.
mod waiting_for_a_lock {
    use crate::support::{sqlite::*, *};
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
    use sqlx::{ConnectOptions as _, Executor as _};
    use std::time::Duration;
    use steadfast::{Error, with_session};

    #[with_session]
    async fn writes(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'written')")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_begin_the_slot_is_free_within_a_second() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut other = place.plain.acquire().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let dropped = drop_after(writes(&pool), Duration::from_millis(100)).await;
        assert!(dropped.is_none(), "{dropped:?}");
        assert!(quiet(&pool).await < Duration::from_secs(1));
        other.execute("COMMIT").await.unwrap();
        writes(&pool).await.unwrap();
        assert_eq!(place.count("notes").await, 1);
        let written = stats(concat!(module_path!(), "::writes"));
        assert_eq!(
            (written.cancelled, written.committed, written.rolled_back),
            (1, 1, 1)
        );
    }

    #[with_session]
    async fn commits(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id) VALUES (1)")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    /// Without WAL a reader of another process holds up COMMIT itself.
    #[tokio::test]
    async fn in_commit_it_is_sent_again_until_it_is_through() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("rollback.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(Duration::ZERO);
        let mut other = options.connect().await.unwrap();
        other
            .execute("CREATE TABLE notes (id BIGINT PRIMARY KEY)")
            .await
            .unwrap();
        let pool = Pool::builder()
            .primary_with(options)
            .max_connections(1)
            .connect()
            .await
            .unwrap();
        other.execute("BEGIN; SELECT * FROM notes").await.unwrap();
        {
            let call = std::pin::pin!(commits(&pool));
            tokio::select! {
                ended = call => panic!("{ended:?}"),
                () = tokio::time::sleep(Duration::from_millis(150)) => {}
            }
        }
        assert_eq!(pool.sessions().len(), 1);
        assert_eq!(stats(concat!(module_path!(), "::commits")).in_flight(), 1);
        other.execute("COMMIT").await.unwrap();
        quiet(&pool).await;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM notes")
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(count, 1, "once sent, COMMIT runs to its end");
        let committed = stats(concat!(module_path!(), "::commits"));
        assert_eq!(
            (committed.committed, committed.cancelled, committed.unknown),
            (1, 1, 0)
        );
    }
}
