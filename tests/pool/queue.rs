//! How long a call waits for a connection, and who holds what meanwhile.

each_database! {
    use std::sync::Arc;
    use std::time::Duration;
    use steadfast::{with_session, Category, Error, Outcome, Phase, SessionStage};
    use tokio::sync::{Notify, Semaphore};
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

    /// While others get connections the server is there.
    #[tokio::test]
    async fn a_pool_that_is_full_is_no_silent_server() {
        let place = Place::new().await;
        let opened = Arc::new(Semaphore::new(1));
        let first_alone = Arc::clone(&opened);
        let builder = place.builder(2).acquire_timeout(MILLIS(500)).after_connect(move |_| {
            let opened = Arc::clone(&first_alone);
            Box::pin(async move {
                opened.acquire().await.unwrap().forget();
                Ok(())
            })
        });
        let pool = builder.connect_lazy().unwrap();
        let held = Hold::new();
        let first = held.on(&pool);
        held.is_held.notified().await;
        let clock = Clock::stop();
        let waits = |number: usize| {
            let pool = pool.clone();
            async move { pool.sessions().len() == number && pool.stats().waiting == number - 1 }
        };
        // Holds the second seat, and does not come to have a connection.
        let connecting = Hold::new();
        let connecting = connecting.on(&pool);
        clock.eventually("it connects", || waits(2)).await;
        let next = Hold::new();
        let (second, last) = (next.on(&pool), Hold::new());
        clock.eventually("it queues", || waits(3)).await;
        let last = last.on(&pool);
        clock.eventually("the last one queues", || waits(4)).await;
        held.until.close();
        first.await.unwrap().unwrap();
        next.is_held.notified().await;
        clock.leap();
        let (silent, full) = (connecting.await.unwrap().unwrap_err(), last.await.unwrap().unwrap_err());
        drop(clock);
        assert_eq!((silent.category(), silent.phase()), (Category::Connection, Phase::Acquire), "{silent}");
        assert_eq!((full.category(), full.phase()), (Category::Capacity, Phase::Acquire), "{full}");
        next.until.close();
        second.await.unwrap().unwrap();
    }
}

mod begin {
    each_server! {
        use std::time::Duration;
        use steadfast::Error;
        use xtask::proxy::{Fault, Proxy};

        /// It may go unanswered for as long again as the connection was waited for.
        #[tokio::test]
        async fn has_its_own_time_behind_a_long_wait() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let builder = Pool::builder().primary(proxy.url()).max_connections(1);
            let pool = builder.acquire_timeout(Duration::from_secs(1)).connect().await.unwrap();
            let mut holder = pool.begin().await.unwrap();
            pay(&mut holder, 1, 0).await.unwrap();
            let clock = Clock::stop();
            let waiter = pool.clone();
            let waiter = tokio::spawn(async move {
                waiter.session("begin::has_its_own_time", async |session| Ok::<_, Error>(pay(session, 2, 5).await?)).await
            });
            clock.eventually("it queues", || async { pool.stats().waiting == 1 }).await;
            clock.skip(Duration::from_millis(900));
            let word = if NAME == "postgres" { "BEGIN" } else { "START TRANSACTION" };
            proxy.on(move |sent| sent.runs(word), Fault::HoldAnswer);
            holder.rollback().await.unwrap();
            clock.eventually("BEGIN is on its way", || async { proxy.fired() == 1 }).await;
            clock.skip(Duration::from_millis(900));
            // A limit that has passed is noticed ahead of the answer.
            tokio::task::yield_now().await;
            proxy.resume();
            waiter.await.unwrap().unwrap();
            assert_eq!(place.cents(2).await, 1005);
        }
    }
}
