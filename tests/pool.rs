//! The pool: what it refuses, how long it waits, what it keeps, and how it ends.

each_database! {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::Duration;
    use futures_util::future::join_all;
    use steadfast::{with_session, Category, Error, Outcome, Phase, SessionStage};
    use tokio::sync::{Barrier, Notify, Semaphore};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    const MILLIS: fn(u64) -> Duration = Duration::from_millis;

    #[with_session]
    async fn touch(session: &mut Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
    }

    /// What a connection is held for.
    struct Hold {
        is_held: Notify,
        /// Nobody gets a permit: it is held until this is closed.
        until: Semaphore,
    }

    #[with_session(read_only)]
    async fn hold(session: &mut Session, held: Arc<Hold>) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        held.is_held.notify_one();
        let _ = held.until.acquire().await;
        Ok(())
    }

    impl Hold {
        fn new() -> Arc<Self> {
            Arc::new(Self { is_held: Notify::new(), until: Semaphore::new(0) })
        }

        fn on(self: &Arc<Self>, pool: &Pool) -> JoinHandle<Result<(), Error>> {
            let (held, pool) = (self.clone(), pool.clone());
            tokio::spawn(async move { hold(&pool, held).await })
        }
    }

    /// Holds a connection until as many do as the barrier wants.
    #[with_session(read_only)]
    async fn meet(session: &mut Session, others: &Barrier) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        others.wait().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_wrong_limit_is_an_error_that_says_so() {
        let place = Place::new().await;
        let wrong = [
            (place.builder(0), "max_connections(1)"),
            (place.builder(2).min_connections(3), "`min_connections(3)` is more than `max_connections(2)`"),
            (place.builder(2).acquire_timeout(Duration::ZERO), "acquire timeout of 0"),
            (place.builder(2).standby(&place.url), "not available yet"),
            (Pool::builder(), "primary(url)"),
        ];
        for (builder, words) in wrong {
            let error = builder.connect().await.unwrap_err();
            assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Acquire));
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(place.builder(0).connect_lazy().is_err(), "a lazy pool is checked too");
    }

    #[with_session(timeout = "4000000000000h")]
    async fn touch_in_an_age(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn no_limit_is_too_long() {
        let place = Place::new().await;
        let pool = place.builder(1)
            .acquire_timeout(Duration::MAX).commit_timeout(Duration::MAX).idle_timeout(Duration::MAX)
            .max_lifetime(Duration::MAX).keepalive(Duration::MAX).ping_after(Duration::MAX)
            .connect().await.unwrap();
        touch_in_an_age(&pool).await.unwrap();
        touch(&pool).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_url_shows_the_right_one() {
        let (right, wrong) = match NAME {
            "postgres" => ("`postgres://", ["postgresql+asyncpg://u:p@h/d", "jdbc:postgresql://h/d", "mysql://h/d"]),
            "mysql" => ("`mysql://", ["mysql+pymysql://u:p@h/d", "jdbc:mysql://h/d", "postgres://h/d"]),
            _ => ("`sqlite://", ["sqlite+aiosqlite:///a.db", "sqlite3:///a.db", "file:a.db"]),
        };
        for url in wrong.into_iter().chain(["", "nonsense", "://", "http://[::"]) {
            for lazy in [false, true] {
                let builder = Pool::builder().primary(url);
                let pool = if lazy { builder.connect_lazy() } else { builder.connect().await };
                let error = pool.unwrap_err();
                assert_eq!(error.category(), Category::Programming, "{url}");
                assert!(error.to_string().contains(right), "{url}: {error}");
            }
        }
    }

    #[tokio::test]
    async fn a_schema_without_the_table_is_told_by_the_first_call() {
        let place = Place::new().await;
        sqlx::raw_sql("DROP TABLE notes").execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = Error::from(sqlx::query("INSERT INTO notes VALUES (1, 'x')").execute(&pool).await.unwrap_err());
        assert_eq!(error.category(), Category::Programming);
        assert!(error.to_string().contains("notes") && error.to_string().contains("schema"), "{error}");
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_acquire_timeout() {
        let place = Place::new().await;
        let clock = Clock::stop();
        let pool = place.builder(1).acquire_timeout(MILLIS(100)).connect().await.unwrap();
        let held = Hold::new();
        let holder = held.on(&pool);
        held.is_held.notified().await;
        // Connecting took no time; from here on nothing is sent, and all that passes is the time in the queue.
        clock.leap();
        let began = Instant::now();
        let error = touch(&pool).await.unwrap_err();
        assert!(about(100).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(clock);
        assert_eq!((error.category(), error.phase(), error.outcome()), (Category::Capacity, Phase::Acquire, Outcome::NotSent));
        assert!(error.is_retryable());
        assert!(error.to_string().contains("1 of 1 in use"), "{error}");
        assert!(error.to_string().contains("max_connections"), "{error}");
        held.until.close();
        holder.await.unwrap().unwrap();
        // A busy machine may take longer than 100 ms for it.
        let _clock = Clock::stop();
        touch(&pool).await.unwrap();
    }

    #[with_session(timeout = "150ms")]
    async fn hurried(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn nor_than_the_calls_own_deadline() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let held = Hold::new();
        let holder = held.on(&pool);
        held.is_held.notified().await;
        let clock = Clock::stop();
        clock.leap();
        let began = Instant::now();
        let error = hurried(&pool).await.unwrap_err();
        assert!(about(150).contains(&began.elapsed()), "{:?}", began.elapsed());
        drop(clock);
        assert!(matches!(error.category(), Category::Capacity | Category::Timeout), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        held.until.close();
        holder.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn figures_and_sessions_tell_who_holds_what() {
        let place = Place::new().await;
        let pool = place.builder(2).connect().await.unwrap();
        let stats = pool.stats();
        assert_eq!((stats.max, stats.size, stats.idle, stats.in_use, stats.waiting, stats.opened), (2, 1, 1, 0, 0, 1));
        let held = Hold::new();
        let (first, second) = (held.on(&pool), held.on(&pool));
        eventually("two hold a connection", || async {
            pool.sessions().iter().filter(|session| session.stage == SessionStage::Open).count() == 2
        }).await;
        let third = held.on(&pool);
        eventually("one waits", || async { pool.stats().waiting == 1 }).await;
        let stats = pool.stats();
        assert_eq!((stats.size, stats.idle, stats.in_use, stats.opened), (2, 0, 2, 2));
        let sessions = pool.sessions();
        assert_eq!(sessions.len(), 3, "{sessions:?}");
        let stages: Vec<_> = sessions.iter().map(|session| session.stage).collect();
        assert_eq!(stages, [SessionStage::Open, SessionStage::Open, SessionStage::Waiting]);
        for session in &sessions {
            assert_eq!((session.operation, session.attempt), (concat!(module_path!(), "::hold"), 1));
            assert!(session.since <= std::time::SystemTime::now());
        }
        assert!(sessions.is_sorted_by_key(|session| session.id));
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        eventually("the slot of a dropped session serves the next", || async {
            let sessions = pool.sessions();
            sessions.len() == 2 && sessions.iter().all(|session| session.stage == SessionStage::Open)
        }).await;
        assert_eq!((pool.stats().waiting, pool.stats().reaped), (0, 1));
        held.until.close();
        second.await.unwrap().unwrap();
        third.await.unwrap().unwrap();
        assert!(pool.sessions().is_empty());
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 2));
    }

    #[tokio::test]
    async fn idle_connections_are_closed_down_to_the_minimum() {
        let place = Place::new().await;
        let pool = place.builder(4).min_connections(1).idle_timeout(MILLIS(150)).connect().await.unwrap();
        let barrier = Barrier::new(4);
        for result in join_all((0..4).map(|_| meet(&pool, &barrier))).await {
            result.unwrap();
        }
        // Not what there is of them by now: the first may have been idle for long enough.
        assert_eq!(pool.stats().opened, 4);
        eventually("one is left", || async { pool.stats().size == 1 }).await;
        touch(&pool).await.unwrap();
        assert_eq!(pool.stats().size, 1);
    }

    #[tokio::test]
    async fn a_connection_does_not_outlive_its_lifetime() {
        let place = Place::new().await;
        let pool = place.builder(1).max_lifetime(MILLIS(200)).connect().await.unwrap();
        eventually("the first connection was replaced", || async {
            touch(&pool).await.unwrap();
            pool.stats().opened >= 2
        }).await;
        assert_eq!(pool.stats().size, 1);
    }

    #[tokio::test]
    async fn the_minimum_is_opened_and_kept() {
        let place = Place::new().await;
        let pool = place.builder(5).min_connections(3).connect().await.unwrap();
        eventually("three are open", || async { pool.stats().idle == 3 }).await;
        touch(&pool).await.unwrap();
        assert_eq!(pool.stats().opened, 3);
    }

    #[tokio::test]
    async fn idle_connections_are_kept_alive_and_busy_ones_are_not_pinged() {
        let place = Place::new().await;
        // Before it is used, a connection is trusted for an hour: what pings is the keepalive.
        let pool = place.builder(2).ping_after(Duration::from_secs(3600)).keepalive(MILLIS(200)).connect().await.unwrap();
        eventually("the idle connection was pinged", || async { pool.stats().pinged >= 2 }).await;
        assert_eq!((pool.stats().size, pool.stats().opened), (1, 1));

        // No ping is due within the test, however slow the machine is.
        let steady = place.builder(2).ping_after(Duration::from_secs(60)).connect().await.unwrap();
        for _ in 0..50 {
            touch(&steady).await.unwrap();
            sqlx::query("SELECT 1").execute(&steady).await.unwrap();
        }
        assert_eq!((steady.stats().pinged, steady.stats().opened), (0, 1));
    }

    #[tokio::test]
    async fn a_silent_connection_is_pinged_before_it_is_used() {
        let place = Place::new().await;
        let pool = place.builder(1).ping_after(MILLIS(20)).connect().await.unwrap();
        // The silence itself.
        tokio::time::sleep(MILLIS(40)).await;
        touch(&pool).await.unwrap();
        assert_eq!((pool.stats().pinged, pool.stats().opened), (1, 1));
    }

    #[tokio::test]
    async fn a_lazy_pool_connects_with_its_first_session() {
        let place = Place::new().await;
        let pool = place.builder(2).connect_lazy().unwrap();
        assert_eq!((pool.stats().size, pool.stats().opened), (0, 0));
        let session = pool.begin().await.unwrap();
        drop(session);
        assert_eq!(pool.stats().opened, 0, "a session without a statement needs no connection");
        touch(&pool).await.unwrap();
        assert_eq!((pool.stats().size, pool.stats().opened), (1, 1));
    }

    #[tokio::test]
    async fn after_connect_runs_once_on_each_connection() {
        let place = Place::new().await;
        let calls = Arc::new(AtomicU64::new(0));
        let pool = place.builder(3).after_connect({
            let calls = calls.clone();
            move |connection| {
                let calls = calls.clone();
                Box::pin(async move {
                    calls.fetch_add(1, SeqCst);
                    sqlx::query("SELECT 1").execute(connection).await?;
                    Ok(())
                })
            }
        }).connect().await.unwrap();
        let barrier = Barrier::new(3);
        for result in join_all((0..3).map(|_| meet(&pool, &barrier))).await {
            result.unwrap();
        }
        touch(&pool).await.unwrap();
        assert_eq!((calls.load(SeqCst), pool.stats().opened), (3, 3));

        let error = place.builder(1).after_connect(|connection| Box::pin(async move {
            sqlx::query("SELECT * FROM nowhere").execute(connection).await?;
            Ok(())
        })).connect().await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Acquire));
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    #[tokio::test]
    async fn close_waits_for_sessions_and_refuses_new_ones() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'in time')").execute(&mut session).await.unwrap();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { meet(&pool, &Barrier::new(1)).await }
        });
        eventually("another one waits for the slot", || async { pool.stats().waiting == 1 }).await;
        let closing = tokio::spawn({
            let pool = pool.clone();
            async move { pool.close().await }
        });
        eventually("the pool is closing", || async { pool.is_closed() }).await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Closed, Outcome::NotSent));
        let error = touch(&pool).await.unwrap_err();
        assert_eq!(error.category(), Category::Closed);
        assert!(!error.is_retryable());
        assert_eq!(pool.begin().await.unwrap_err().category(), Category::Closed);
        let raw = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
        assert_eq!(Error::from(raw).category(), Category::Closed);
        assert!(!closing.is_finished(), "the open session is waited for");
        sqlx::query("INSERT INTO notes VALUES (2, 'still')").execute(&mut session).await.unwrap();
        session.commit().await.unwrap();
        let report = closing.await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(place.count("notes").await, 2);
        assert_eq!(pool.stats().size, 0);
        assert!(pool.close().await.is_clean(), "closing twice is no harm");
    }

    #[tokio::test]
    async fn close_says_what_it_left() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'late')").execute(&mut session).await.unwrap();
        // The half minute passes at once.
        let clock = Clock::stop();
        clock.leap();
        let report = pool.close().await;
        drop(clock);
        assert!(!report.is_clean());
        let [left] = &report.left[..] else { panic!("{report:?}") };
        assert_eq!((left.id, left.operation, left.stage), (session.id(), session.operation(), SessionStage::Open));
        // What was left still ends as it should.
        session.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 1);
        assert!(pool.sessions().is_empty());
        assert_eq!(pool.stats().size, 0, "its connection was closed behind it");
    }

    #[tokio::test]
    async fn close_waits_for_the_reaper() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes VALUES (1, 'gone')").execute(&mut session).await.unwrap();
        drop(session);
        assert!(pool.close().await.is_clean());
        assert_eq!((place.count("notes").await, place.open_transactions().await), (0, 0));
        assert_eq!(pool.stats().reaped, 1);
    }

    #[tokio::test]
    async fn clones_are_one_pool() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clone = pool.clone();
        touch(&clone).await.unwrap();
        assert_eq!(pool.stats().opened, 1);
        let stats = stats(concat!(module_path!(), "::touch"));
        assert!(stats.committed >= 1);
        clone.close().await;
        assert!(pool.is_closed());
    }
}

/// Servers that are full, gone, silent or unfriendly.
mod servers {
    each_server! {
        use std::time::Duration;
        use futures_util::future::join_all;
        use tokio::time::Instant;
        use sqlx::Connection as _;
        use steadfast::{with_session, Category, Error, Outcome, Phase};
        use crate::support::private;

        #[with_session]
        async fn which(session: &mut Session) -> Result<i64, Error> {
            Ok(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
        }

        /// Opens that many connections and leaves them idle.
        async fn fill(pool: &Pool, connections: usize) -> Vec<i64> {
            let mut sessions = Vec::new();
            let mut ids = Vec::new();
            for _ in 0..connections {
                let mut session = pool.begin().await.unwrap();
                ids.push(sqlx::query_scalar(WHICH).fetch_one(&mut session).await.unwrap());
                sessions.push(session);
            }
            for session in sessions {
                session.rollback().await.unwrap();
            }
            assert_eq!(pool.stats().idle, connections);
            ids
        }

        #[tokio::test]
        async fn the_last_used_connection_serves_first() {
            let place = Place::new().await;
            let pool = place.builder(3).connect().await.unwrap();
            let ids = fill(&pool, 3).await;
            for _ in 0..10 {
                assert_eq!(which(&pool).await.unwrap(), ids[2], "the one that came back last");
            }
        }

        #[tokio::test]
        async fn idle_connections_that_the_server_closed_are_replaced() {
            let place = Place::new().await;
            for ping_after in [Duration::from_secs(3600), Duration::ZERO] {
                let pool = place.builder(4).ping_after(ping_after).connect().await.unwrap();
                let dead = fill(&pool, 4).await;
                place.kill(&dead).await;
                // One call finds all four of them dead and still works; so does a crowd.
                let id = which(&pool).await.unwrap();
                assert!(!dead.contains(&id), "{ping_after:?}");
                for id in join_all((0..8).map(|_| which(&pool))).await {
                    assert!(!dead.contains(&id.unwrap()));
                }
                place.kill(&fill(&pool, 4).await).await;
                for id in join_all((0..4).map(|_| which(&pool))).await {
                    id.unwrap();
                }
            }
        }

        #[tokio::test]
        async fn so_are_those_that_never_served_anybody() {
            let place = Place::new().await;
            let pool = place.builder(3).min_connections(3).ping_after(Duration::from_secs(3600)).connect().await.unwrap();
            eventually("the minimum is open", || async { pool.stats().idle == 3 }).await;
            place.kill_all().await;
            for id in join_all((0..3).map(|_| which(&pool))).await {
                id.unwrap();
            }
        }

        #[tokio::test]
        async fn a_statement_on_the_pool_survives_closed_idle_connections() {
            let place = Place::new().await;
            let pool = place.builder(2).ping_after(Duration::ZERO).connect().await.unwrap();
            place.kill(&fill(&pool, 2).await).await;
            let one: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
            assert!(one > 0);
        }

        #[tokio::test]
        async fn a_host_that_refuses_is_told_within_the_acquire_timeout() {
            // Nothing listens on a port that was just given back.
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let url = format!("{NAME}://nobody@127.0.0.1:{port}/nowhere");
            // It refuses at once: all that passes is the pauses between the tries.
            let clock = Clock::stop();
            clock.leap();
            let began = Instant::now();
            let error = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(300)).connect().await.unwrap_err();
            assert!(began.elapsed() < about(300).end, "{:?}", began.elapsed());
            drop(clock);
            assert_eq!((error.category(), error.phase()), (Category::Connection, Phase::Acquire));
            assert!(error.is_retryable());
            assert!(error.to_string().contains("see that the server runs"), "{error}");

            let pool = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(100)).connect_lazy().unwrap();
            let error = which(&pool).await.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (Category::Connection, Outcome::NotSent));
        }

        #[tokio::test]
        async fn a_host_that_says_nothing_is_given_up_in_time() {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("{NAME}://nobody@{}/nowhere", listener.local_addr().unwrap());
            let silent = tokio::spawn(async move {
                let mut kept = Vec::new();
                loop {
                    kept.push(listener.accept().await.unwrap());
                }
            });
            let clock = Clock::stop();
            clock.leap();
            let began = Instant::now();
            let error = Pool::builder().primary(&url).acquire_timeout(Duration::from_millis(300)).connect().await.unwrap_err();
            assert!(about(300).contains(&began.elapsed()), "{:?}", began.elapsed());
            drop(clock);
            assert!(error.is_retryable(), "{error:?}");
            assert!(matches!(error.category(), Category::Connection | Category::Capacity), "{error:?}");
            assert_eq!(error.phase(), Phase::Acquire);
            let text = error.to_string();
            assert!(!text.contains("0 of 10 in use"), "no connection came to be, and that is no lack of slots: {text}");
            silent.abort();
        }

        #[tokio::test]
        async fn a_server_that_is_away_for_a_moment_is_waited_for() {
            let place = Place::new().await;
            let proxy = xtask::proxy::Proxy::before(&place.url).unwrap();
            proxy.hold();
            let connecting = tokio::spawn({
                let url = proxy.url();
                async move { Pool::connect(url).await }
            });
            for tries in 1..=2 {
                eventually("it tries again", || async { proxy.reports().len() == tries }).await;
                proxy.cut();
            }
            assert!(!connecting.is_finished());
            proxy.resume();
            let pool = connecting.await.unwrap().unwrap();
            which(&pool).await.unwrap();
        }

        /// Ordinary users of PostgreSQL get what the superuser's reserve leaves.
        const SMALL: &[(&str, &str)] = &[("max_connections", if NAME.len() == 8 { "8" } else { "10" })];

        #[tokio::test]
        async fn a_server_that_refuses_says_why() {
            let server = private::start_with::<Db>(SMALL).await;
            let url = server.user_url();

            let clock = Clock::stop();
            let began = Instant::now();
            let error = Pool::connect(url.replacen("steadfast:steadfast", "steadfast:guessed", 1)).await.unwrap_err();
            assert_eq!((error.category(), error.phase()), (Category::Access, Phase::Acquire), "{error:?}");
            assert!(!error.is_retryable());
            assert!(error.to_string().contains("password"), "{error}");
            let missing = format!("{}/missing", url.rsplit_once('/').unwrap().0);
            let error = Pool::connect(missing).await.unwrap_err();
            assert!(matches!(error.category(), Category::Programming | Category::Access), "{error:?}");
            assert!(error.to_string().contains("missing"), "{error}");
            assert!(!error.is_retryable());
            assert_eq!(began.elapsed(), Duration::ZERO, "neither is tried again, for that follows a pause");
            drop(clock);

            let mut others = Vec::new();
            let refused = loop {
                match Connection::connect(&url).await {
                    Ok(other) => others.push(other),
                    Err(refused) => break refused,
                }
                assert!(others.len() < 20);
            };
            assert!(refused.as_database_error().is_some(), "the server is full: {refused}");
            let proxy = xtask::proxy::Proxy::before(&url).unwrap();
            let was_refused = |after: usize| proxy.reports().iter().skip(after).any(|connection| !connection.open);
            let clock = Clock::stop();
            let began = Instant::now();
            let connecting = Pool::builder().primary(proxy.url()).acquire_timeout(Duration::from_millis(400)).connect();
            let is_refused = async {
                clock.eventually("it was refused", || async { was_refused(0) }).await;
                clock.leap();
            };
            let error = tokio::join!(connecting, is_refused).0.unwrap_err();
            assert_eq!((error.category(), error.phase()), (Category::Capacity, Phase::Acquire), "{error:?}");
            assert!(error.is_retryable());
            let took = began.elapsed();
            assert!((about(100).start..about(400).end).contains(&took), "it was tried again: {took:?}");
            drop(clock);

            let before = proxy.reports().len();
            let waiting = tokio::spawn({
                let url = proxy.url();
                async move { Pool::builder().primary(&url).acquire_timeout(Duration::from_secs(20)).connect().await }
            });
            eventually("it was refused", || async { was_refused(before) }).await;
            assert!(!waiting.is_finished());
            let other: Connection = others.pop().unwrap();
            other.close().await.unwrap();
            let pool = waiting.await.unwrap().unwrap();
            // A full server has no room for a control connection either, and that is no reason to fail.
            which(&pool).await.unwrap();
        }

        #[tokio::test]
        async fn a_closed_pool_leaves_no_connection() {
            let place = Place::new().await;
            let pool = place.builder(3).connect().await.unwrap();
            fill(&pool, 3).await;
            assert!(place.connections().await >= 4, "three and the control connection");
            assert!(pool.close().await.is_clean());
            eventually("all connections are closed", || async { place.connections().await == 0 }).await;
        }

        #[tokio::test]
        async fn a_forgotten_pool_leaves_no_connection() {
            let place = Place::new().await;
            let pool = place.builder(3).connect().await.unwrap();
            fill(&pool, 3).await;
            drop(pool);
            eventually("all connections are closed", || async { place.connections().await == 0 }).await;
        }
    }
}

/// Files, and databases in memory.
mod sqlite_only {
    use crate::support::{sqlite::*, *};
    use futures_util::future::join_all;
    use std::sync::Arc;
    use std::time::Duration;
    use steadfast::{Category, Error, Phase, with_session};

    #[with_session]
    async fn add(session: &mut Session, id: i64) -> Result<i64, Error> {
        let before: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut *session)
            .await?;
        sqlx::query("INSERT INTO t VALUES ($1)")
            .bind(id)
            .execute(&mut *session)
            .await?;
        Ok(before)
    }

    #[with_session(read_only)]
    async fn count(
        session: &mut Session,
        together: Arc<tokio::sync::Barrier>,
    ) -> Result<i64, Error> {
        let count = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut *session)
            .await?;
        together.wait().await;
        Ok(count)
    }

    async fn is_shared(pool: &Pool) {
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(pool)
            .await
            .unwrap();
        let mut seen = join_all((0..40).map(|id| add(pool, id)))
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        seen.sort_unstable();
        assert_eq!(
            seen,
            (0..40).collect::<Vec<_>>(),
            "one writer after the other"
        );
        let together = Arc::new(tokio::sync::Barrier::new(4));
        for counted in join_all((0..4).map(|_| count(pool, together.clone()))).await {
            assert_eq!(counted.unwrap(), 40);
        }
        assert!(
            pool.stats().opened >= 4,
            "by connections of their own: {:?}",
            pool.stats()
        );
    }

    #[tokio::test]
    async fn a_database_in_memory_is_shared_by_a_pool_and_by_nobody_else() {
        let (one, other) = (
            Pool::in_memory().await.unwrap(),
            Pool::in_memory().await.unwrap(),
        );
        is_shared(&one).await;
        let error = add(&other, 1).await.unwrap_err();
        assert!(error.to_string().contains("no such table"), "{error}");
        assert!(one.close().await.is_clean());
        let third = Pool::in_memory().await.unwrap();
        assert!(add(&third, 1).await.is_err(), "nothing of it is left");
    }

    #[tokio::test]
    async fn so_is_the_one_of_the_memory_url() {
        for url in ["sqlite::memory:", "sqlite://:memory:"] {
            let pool = Pool::connect(url).await.unwrap();
            is_shared(&pool).await;
            pool.close().await;
        }
    }

    #[tokio::test]
    async fn the_memory_url_outlives_an_idle_time() {
        let pool = Pool::builder()
            .primary("sqlite::memory:")
            .idle_timeout(Duration::from_millis(100))
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(&pool)
            .await
            .unwrap();
        eventually("all idle connections are closed", || async {
            pool.stats().size == 0
        })
        .await;
        assert_eq!(add(&pool, 1).await.unwrap(), 0, "the table is still there");
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().display();
        for url in [
            format!("sqlite://{folder}/missing/a.db?mode=rwc"),
            format!("sqlite://{folder}?mode=rwc"),
            format!("sqlite://{folder}/absent.db"),
        ] {
            let clock = Clock::stop();
            let began = tokio::time::Instant::now();
            let error = Pool::connect(&url).await.unwrap_err();
            assert_eq!(began.elapsed(), Duration::ZERO, "{url}: tried again");
            drop(clock);
            assert_eq!(
                (error.category(), error.phase(), error.code()),
                (Category::Resource, Phase::Acquire, Some("14")),
                "{url}: {error:?}"
            );
            assert!(!error.is_retryable());
        }
    }

    #[tokio::test]
    async fn a_file_that_is_opened_read_only_can_be_read() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(&place.plain)
            .await
            .unwrap();
        let pool = Pool::connect(place.url.replace("mode=rwc", "mode=ro"))
            .await
            .unwrap();
        assert_eq!(
            count(&pool, Arc::new(tokio::sync::Barrier::new(1)))
                .await
                .unwrap(),
            0
        );
        let error = add(&pool, 1).await.unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::ReadOnly, Some("8")),
            "{error:?}"
        );
        assert!(!error.is_retryable());
    }

    #[tokio::test]
    async fn a_url_means_wal_and_full() {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::connect(format!(
            "sqlite://{}/a.db?mode=rwc",
            folder.path().display()
        ))
        .await
        .unwrap();
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&pool)
            .await
            .unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&pool)
            .await
            .unwrap();
        let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!((&*journal, synchronous, foreign_keys), ("wal", 2, 1));
    }

    #[tokio::test]
    async fn two_pools_on_one_file_queue_their_writers_together() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            .execute(&place.plain)
            .await
            .unwrap();
        let one = place.pool(2).await;
        // Another spelling of the same file.
        let path = std::path::Path::new(&place.name);
        let other = format!(
            "{}/./{}",
            path.parent().unwrap().display(),
            path.file_name().unwrap().to_str().unwrap()
        );
        let two = Pool::connect(format!("sqlite://{other}")).await.unwrap();
        let mut session = one.begin().await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)")
            .execute(&mut session)
            .await
            .unwrap();
        let waiting = tokio::spawn({
            let two = two.clone();
            async move { add(&two, 2).await }
        });
        eventually("the other pool's writer waits", || async {
            two.sessions().len() == 1
        })
        .await;
        // Long enough for whoever would not queue to have a slot by now.
        place.refuses_writers().await;
        assert!(!waiting.is_finished());
        assert_eq!(
            two.stats().in_use,
            0,
            "in the queue, before it takes a slot"
        );
        session.commit().await.unwrap();
        assert_eq!(
            waiting.await.unwrap().unwrap(),
            1,
            "and sees what the first one wrote"
        );
    }
}
