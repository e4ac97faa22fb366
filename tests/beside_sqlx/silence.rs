//! Rows 11 and 14: a server, or the network before it, that does not answer any more.

each_server! {
    use crate::beside_sqlx::{Doer, Failure, HOUR, MENDED, Who, freed_after, or_never, show};
    use std::sync::Arc;
    use std::time::Duration;
    use steadfast::{Error, Outcome};
    use support::forwarder::Forwarder;
    use support::private::{self, Server};
    use tokio::sync::Barrier;
    use tokio::task::spawn_blocking;
    use tokio::time::{Instant, timeout};
    use xtask::proxy::{Fault, Proxy};

    /// How long until a slot is free whose connection was given back after the network had forgotten it.
    async fn gives_back(who: Who) -> Option<Duration> {
        let place = Place::new().await;
        let door = Forwarder::before(&[&place.url]).await;
        let doer = Doer::<Db>::connect(who, &door.url(&place.url), 1).await;
        let held = doer.acquire().await.unwrap();
        assert!(door.forget() > 0);
        drop(held);
        let freed = freed_after(&doer).await;
        show(11, NAME, who, format_args!("a connection given back on a dead socket: its slot is free after {}", or_never(freed)));
        if freed.is_some() {
            // New connections pass.
            in_time(doer.number(WHICH)).await.unwrap();
        }
        freed
    }

    /// Row 11 of the design's table. SQLite has no socket.
    #[tokio::test]
    async fn a_silently_dead_socket_costs_its_slot_a_second() {
        assert_eq!(gives_back(Who::Sqlx).await, None, "{MENDED}");
        let freed = gives_back(Who::Steadfast).await.expect("free");
        assert!(freed < about(1000).end, "{freed:?}");
    }

    /// What came of two queries of a pool of 2 while the server was stopped.
    #[derive(Debug)]
    struct Hung {
        /// When the callers were back.
        back: Duration,
        freed: Option<Duration>,
    }

    const DEADLINE: Duration = Duration::from_millis(200);

    /// Asks, and asks again once the server is stopped. Either is given the same time: sqlx by its caller, steadfast by
    /// an option.
    async fn asks(doer: &Doer<Db>, both: &Barrier, stopped: &Barrier) -> Result<i64, Failure> {
        match doer {
            Doer::Sqlx(_) => {
                let asked = async {
                    let mut work = doer.begin().await?;
                    work.number(WHICH).await?;
                    both.wait().await;
                    stopped.wait().await;
                    work.number(WHICH).await
                };
                timeout(DEADLINE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut.into()))
            }
            Doer::Steadfast(pool) => {
                let asked = pool.operation(concat!(module_path!(), "::asks")).timeout(DEADLINE).run(async |session| {
                    sqlx::query(WHICH).execute(&mut *session).await?;
                    both.wait().await;
                    stopped.wait().await;
                    Ok::<_, Error>(sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?)
                });
                Ok(asked.await?)
            }
        }
    }

    async fn hangs(who: Who) -> Hung {
        let server: Arc<Server<Db>> = Arc::new(private::start().await);
        let doer = Doer::<Db>::connect(who, &server.url(), 2).await;
        let (both, stopped) = (Barrier::new(3), Barrier::new(3));
        // It stands until the server is stopped: what the server takes before counts for nothing.
        let clock = Clock::stop();
        let began = Instant::now();
        let stops = async {
            both.wait().await;
            let server = Arc::clone(&server);
            spawn_blocking(move || server.pause().unwrap()).await.unwrap();
            clock.leap();
            stopped.wait().await;
        };
        let (one, two, ()) = tokio::join!(asks(&doer, &both, &stopped), asks(&doer, &both, &stopped), stops);
        let back = began.elapsed();
        one.unwrap_err();
        two.unwrap_err();
        drop(clock);
        let freed = freed_after(&doer).await;
        show(14, NAME, who, format_args!(
            "the server is stopped (SIGSTOP), two queries of a pool of 2 are back after {back:?}, the slots after {}", or_never(freed),
        ));
        let wake = Arc::clone(&server);
        spawn_blocking(move || wake.resume().unwrap()).await.unwrap();
        // Either recovers with the server, so it was that and nothing else.
        eventually("the slots are back with the server", || async { doer.is_free() }).await;
        in_time(doer.number(WHICH)).await.unwrap();
        Hung { back, freed }
    }

    /// Row 14 of the design's table. SQLite has no server.
    #[tokio::test]
    async fn a_stopped_server_costs_the_pool_a_second() {
        let plain = hangs(Who::Sqlx).await;
        assert!(plain.freed.is_none(), "{MENDED}: {plain:?}");
        let ours = hangs(Who::Steadfast).await;
        assert!(ours.back < about(300).end, "the deadline and 100 ms: {ours:?}");
        assert!(ours.back + ours.freed.expect("free") < about(1300).end, "{ours:?}");
    }

    /// A COMMIT that the server has run and whose answer never comes, in a call without any limit of its own.
    async fn commits(who: Who) -> (Option<Result<(), Failure>>, Duration) {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let doer = Doer::<Db>::connect(who, &proxy.url(), 1).await;
        let mut work = doer.begin().await.unwrap();
        work.note(1).await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        let is_held = || async { proxy.fired() == 1 };
        let (answer, took) = leaping(is_held, timeout(HOUR, work.commit())).await;
        assert_eq!(place.notes().await, [1], "it was applied");
        let told = answer.as_ref().map(|told| told.as_ref().map_err(Failure::outcome));
        show(14, NAME, who, format_args!("the answer to COMMIT never comes: {told:?} after {took:?}"));
        (answer.ok(), took)
    }

    /// Row 14 of the design's table.
    #[tokio::test]
    async fn a_commit_without_an_answer_is_not_waited_for_for_ever() {
        let (answer, took) = commits(Who::Sqlx).await;
        assert!(answer.is_none() && took >= HOUR, "{MENDED}: {answer:?}");
        let (answer, took) = commits(Who::Steadfast).await;
        assert_eq!(answer.expect("an answer").unwrap_err().outcome(), Some(Outcome::Unknown));
        assert!(took < about(10_000).end, "{took:?}");
    }
}
