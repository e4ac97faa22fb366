//! The caller drops the future of a call.

each_database! {
    use std::time::Duration;
    use futures_util::StreamExt as _;
    use steadfast::{with_session, Error, SessionStage};
    use tokio::sync::Notify;

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
        let waits = eventually("it waits", || async {
            pool.sessions().iter().any(|session| session.stage == SessionStage::Waiting)
        });
        drop_when(waits, queues(&pool)).await;
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
    /// Trap 18: cancellation leaks a connection or a transaction.
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
    async fn mid_statement_the_slot_serves_the_next_at_once() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let connection = serves(&pool).await.unwrap();
        drop_when(place.slow_is_running(), sleeps_in_a_statement(&pool)).await;
        in_time(serves_on(&place, &pool, connection)).await;
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
        drop_when(place.has_open(1), waits_between_statements(&pool)).await;
        // Listed until the reaper is done, which has not run yet on this thread.
        assert_eq!(pool.sessions().len(), 1);
        assert_eq!(pool.stats().reaping, 1);
        quiet_at_once(&pool).await;
        serves_on(&place, &pool, connection).await;
        assert_eq!(place.cents(1).await, 1000);
        let waited = stats(concat!(module_path!(), "::waits_between_statements"));
        assert_eq!((waited.cancelled, waited.rolled_back), (1, 1));
    }

    #[with_session]
    async fn reads_half(session: &mut Session, has_read: &Notify) -> Result<(), Error> {
        pay(session, 1, -500).await?;
        let mut rows = sqlx::query("SELECT a.id FROM accounts a, accounts b, accounts c").fetch(&mut *session);
        rows.next().await.unwrap()?;
        has_read.notify_one();
        std::future::pending::<()>().await;
        Ok(())
    }

    #[tokio::test]
    async fn with_a_stream_half_read_it_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let connection = serves(&pool).await.unwrap();
        let has_read = Notify::new();
        drop_when(has_read.notified(), reads_half(&pool, &has_read)).await;
        quiet(&pool).await;
        serves_on(&place, &pool, connection).await;
        assert_eq!(place.cents(1).await, 1000);
    }

    /// `timeout` and `select!` are what drops futures in practice; `abort` drops them on another thread.
    /// Trap 24: a client that disconnects drops the handler half-way.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_aborted_task_is_rolled_back() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let task = tokio::spawn({
            let pool = pool.clone();
            async move { waits_in_a_task(&pool).await }
        });
        place.has_open(1).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        quiet(&pool).await;
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
