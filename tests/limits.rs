//! Limits hold where they are awkward: a deadline over unread rows, a server's own limit under a call's, an acquire
//! timeout over connections that nobody answers on any more.

/// A nested call returns well and leaves a result behind that will not be read in time.
mod unread {
    each_server! {
        use std::sync::Mutex;
        use std::time::{Duration, Instant};
        use futures_util::StreamExt as _;
        use steadfast::{with_session, Category, Error, Outcome};
        use tokio::time::timeout;
        use xtask::proxy::Proxy;

        const BUSY: Duration = Duration::from_millis(500);

        /// Twenty gigabytes.
        const MANY: &str = match NAME.as_bytes() {
            b"postgres" => "SELECT repeat('x', 1000), generate_series(1, 20000000)",
            _ => "SELECT repeat('x', 1000) FROM seq_1_to_20000000",
        };

        /// How the rest is kept from coming.
        #[derive(Clone, Copy, Debug)]
        enum Way {
            Hole,
            Trickle,
        }

        impl Way {
            fn block(self, proxy: &Proxy) {
                match self {
                    Self::Hole => proxy.hold(),
                    Self::Trickle => proxy.trickle_slowly(100, Duration::from_millis(10)),
                }
            }

            fn unblock(self, proxy: &Proxy) {
                match self {
                    Self::Hole => proxy.resume(),
                    Self::Trickle => proxy.trickle(0),
                }
            }
        }

        async fn note(session: &mut Session, id: i64) -> Result<(), sqlx::Error> {
            sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
                .bind(id).bind(format!("note {id}")).execute(&mut *session).await?;
            Ok(())
        }

        #[with_session(timeout = "200ms")]
        async fn leaves_rows(session: &mut Session, proxy: &Proxy, way: Way) -> Result<(), Error> {
            note(session, 2).await?;
            let mut rows = sqlx::query(MANY).fetch(&mut *session);
            assert!(matches!(rows.next().await, Some(Ok(_))));
            way.block(proxy);
            Ok(())
        }

        type Seen = Mutex<Option<(Result<(), Error>, Duration)>>;

        #[with_session]
        async fn goes_on(session: &mut Session, proxy: &Proxy, way: Way, seen: &Seen) -> Result<(), Error> {
            note(session, 1).await?;
            let began = Instant::now();
            let inner = leaves_rows(&mut *session, proxy, way).await;
            *seen.lock().unwrap() = Some((inner, began.elapsed()));
            way.unblock(proxy);
            note(session, 3).await?;
            Ok(())
        }

        #[with_session]
        async fn behind_a_loan(session: &mut Session, proxy: &Proxy, way: Way, seen: &Seen) -> Result<(), Error> {
            sqlx::query("INSERT INTO notes VALUES (1, 'lent')").execute(session.raw().await?).await?;
            let began = Instant::now();
            let inner = leaves_rows(&mut *session, proxy, way).await;
            *seen.lock().unwrap() = Some((inner, began.elapsed()));
            way.unblock(proxy);
            Ok(())
        }

        /// The nested call of `outer` ends in its time. What the outer one says, and what is there then.
        async fn outer_of(
            outer: impl AsyncFnOnce(&Pool, &Proxy, Way, &Seen) -> Result<(), Error>,
            way: Way,
        ) -> (Result<(), Error>, Vec<i64>) {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
            let seen = Seen::default();
            let ended = timeout(PATIENCE, outer(&pool, &proxy, way, &seen)).await.expect("it comes back");
            let (inner, took) = seen.lock().unwrap().take().unwrap();
            let error = inner.expect_err("not all was read in time");
            assert!(took < Duration::from_millis(200 + 100) + BUSY, "{way:?}: {took:?}: {error}");
            assert_eq!(error.category(), Category::Timeout, "{way:?}: {error}");
            quiet(&pool).await;
            let kept = place.notes().await;
            eventually("nothing is open", || async { place.open_transactions().await == 0 }).await;
            (ended, kept)
        }

        /// There the end of the call waits for the proof that its work is undone, and no longer than for anything else.
        #[tokio::test]
        async fn also_behind_what_may_have_committed() {
            for way in [Way::Hole, Way::Trickle] {
                match outer_of(async |pool, proxy, way, seen| behind_a_loan(pool, proxy, way, seen).await, way).await {
                    (Ok(()), kept) => assert_eq!(kept, [1], "{way:?}"),
                    (Err(error), kept) => assert!(kept.is_empty(), "{way:?}: {kept:?}: {error}"),
                }
            }
        }

        /// The outer session goes on, or says that it cannot.
        #[tokio::test]
        async fn rows_of_a_nested_call_do_not_outlast_its_deadline() {
            for way in [Way::Hole, Way::Trickle] {
                match outer_of(async |pool, proxy, way, seen| goes_on(pool, proxy, way, seen).await, way).await {
                    (Ok(()), kept) => assert_eq!(kept, [1, 3], "{way:?}"),
                    (Err(error), kept) => {
                        assert!(kept.is_empty(), "{way:?}: {kept:?}: {error}");
                        assert!(matches!(error.outcome(), Outcome::NotSent | Outcome::RolledBack), "{way:?}: {error}");
                    }
                }
            }
        }
    }
}

/// Limits that a connection has already are the user's: a call's deadline may be stricter, and loosens none.
mod already_set {
    use sqlx::Executor as _;
    use steadfast::{Error, with_session};

    use crate::support::{mysql, postgres};

    const POSTGRES: &str =
        "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'";

    #[with_session(timeout = "30s")]
    async fn postgres_loose(session: &mut postgres::Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(POSTGRES)
            .fetch_one(&mut *session)
            .await?)
    }

    #[with_session(timeout = "1s")]
    async fn postgres_strict(session: &mut postgres::Session) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(POSTGRES)
            .fetch_one(&mut *session)
            .await?)
    }

    #[tokio::test]
    async fn postgres_a_calls_deadline_does_not_loosen_the_statement_timeout() {
        let place = postgres::Place::new().await;
        let pool = place
            .builder(1)
            .after_connect(|connection| {
                Box::pin(async move {
                    connection.execute("SET statement_timeout = '2s'").await?;
                    Ok(())
                })
            })
            .connect()
            .await
            .unwrap();
        let now = async || -> i64 { sqlx::query_scalar(POSTGRES).fetch_one(&pool).await.unwrap() };
        assert_eq!(now().await, 2000);
        assert_eq!(postgres_loose(&pool).await.unwrap(), 2000);
        assert_eq!(now().await, 2000, "for later users");
        let strict = postgres_strict(&pool).await.unwrap();
        assert!((1..=1000).contains(&strict), "{strict}");
        assert_eq!(now().await, 2000, "for later users");
        assert_eq!(pool.stats().opened, 1);
    }

    const MYSQL: &str = "SELECT CAST(@@max_statement_time AS DOUBLE)";

    #[with_session(timeout = "30s")]
    async fn mysql_loose(session: &mut mysql::Session) -> Result<f64, Error> {
        Ok(sqlx::query_scalar(MYSQL).fetch_one(&mut *session).await?)
    }

    #[with_session(timeout = "1s")]
    async fn mysql_strict(session: &mut mysql::Session) -> Result<f64, Error> {
        Ok(sqlx::query_scalar(MYSQL).fetch_one(&mut *session).await?)
    }

    #[with_session]
    async fn mysql_without(session: &mut mysql::Session) -> Result<f64, Error> {
        Ok(sqlx::query_scalar(MYSQL).fetch_one(&mut *session).await?)
    }

    #[tokio::test]
    async fn mysql_a_calls_deadline_does_not_loosen_the_statement_limit() {
        let place = mysql::Place::new().await;
        let pool = place
            .builder(1)
            .after_connect(|connection| {
                Box::pin(async move {
                    connection.execute("SET max_statement_time = 7").await?;
                    Ok(())
                })
            })
            .connect()
            .await
            .unwrap();
        let now = async || -> f64 { sqlx::query_scalar(MYSQL).fetch_one(&pool).await.unwrap() };
        assert_eq!(now().await, 7.0);
        assert_eq!(mysql_loose(&pool).await.unwrap(), 7.0);
        assert_eq!(now().await, 7.0, "for later users");
        assert_eq!(mysql_without(&pool).await.unwrap(), 7.0);
        let strict = mysql_strict(&pool).await.unwrap();
        assert!(strict > 0.0 && strict <= 1.0, "{strict}");
        assert_eq!(mysql_without(&pool).await.unwrap(), 7.0, "for later users");
        assert_eq!(now().await, 7.0, "for later users");
        assert_eq!(pool.stats().opened, 1);
    }
}

/// A firewall has forgotten the idle connections: no answer comes, and no end. New ones pass.
mod forgotten {
    each_server! {
        use std::time::{Duration, Instant};
        use futures_util::future::join_all;
        use steadfast::{with_session, Error};
        use support::forwarder::Forwarder;
        use tokio::sync::Barrier;

        const CONNECTIONS: usize = 10;

        #[with_session]
        async fn meet(session: &mut Session, others: &Barrier) -> Result<(), Error> {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            others.wait().await;
            Ok(())
        }

        #[with_session]
        async fn touch(session: &mut Session) -> Result<(), Error> {
            sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'one')").execute(&mut *session).await?;
            Ok(())
        }

        /// Trap 21: a health check hangs through a failover.
        #[tokio::test]
        async fn ten_idle_connections_that_are_silent_cost_one_wait() {
            let place = Place::new().await;
            let door = Forwarder::before(&[&place.url]).await;
            // Each is asked before it is used, as after half a second by default.
            let pool = Pool::builder().primary(door.url(&place.url)).max_connections(CONNECTIONS as u32)
                .ping_after(Duration::ZERO).connect().await.unwrap();
            let others = Barrier::new(CONNECTIONS);
            join_all((0..CONNECTIONS).map(|_| meet(&pool, &others))).await.into_iter().collect::<Result<(), _>>().unwrap();
            assert_eq!(pool.stats().idle, CONNECTIONS);
            assert_eq!(door.forget(), CONNECTIONS + 1, "these, and the one for cancels");
            let began = Instant::now();
            touch(&pool).await.unwrap();
            let took = began.elapsed();
            // One ping that is waited for in vain is a second, and connecting the rest.
            assert!(took < Duration::from_millis(2500), "{took:?}");
            assert_eq!(place.count("notes").await, 1);
            assert!(pool.stats().opened > CONNECTIONS as u64, "by a new connection: {:?}", pool.stats());
            let began = Instant::now();
            let again = meet(&pool, &Barrier::new(1)).await;
            assert!(again.is_ok() && began.elapsed() < Duration::from_secs(2), "{again:?} {:?}", began.elapsed());
        }
    }
}
