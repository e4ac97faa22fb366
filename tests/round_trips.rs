//! What a call costs in round trips, counted by a proxy between the pool and the server.

each_server! {
    use steadfast::{Error, retry, with_session};
    use std::sync::atomic::{AtomicI64, Ordering};
    use xtask::proxy::{Proxy, Sent};

    async fn touch(session: &mut Session) -> Result<(), Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(1_i64).bind(1_i64).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn statements(session: &mut Session, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            touch(session).await?;
        }
        Ok(())
    }

    #[with_session]
    async fn fails_after(session: &mut Session, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            touch(session).await?;
        }
        Err(sqlx::Error::RowNotFound.into())
    }

    #[with_session(isolation = serializable)]
    async fn serializable(session: &mut Session) -> Result<(), Error> {
        touch(session).await
    }

    #[with_session(timeout = "20s")]
    async fn with_a_deadline(session: &mut Session) -> Result<(), Error> {
        touch(session).await
    }

    /// A statement, then a nested call for each of `inner`, which runs so many.
    #[with_session]
    async fn nested(session: &mut Session, inner: &[usize]) -> Result<(), Error> {
        touch(session).await?;
        for count in inner {
            statements(&mut *session, *count).await?;
        }
        Ok(())
    }

    /// A nested call in a nested call, a statement in each.
    #[with_session]
    async fn deep(session: &mut Session) -> Result<(), Error> {
        touch(session).await?;
        nested(&mut *session, &[1]).await
    }

    /// Three nested calls around one statement.
    #[with_session]
    async fn thin(session: &mut Session) -> Result<(), Error> {
        session
            .savepoint(async |session| {
                session.savepoint(async |session| statements(&mut *session, 1).await).await
            })
            .await
    }

    #[with_session]
    async fn swallows(session: &mut Session, afterwards: usize) -> Result<(), Error> {
        assert!(fails_after(&mut *session, 1).await.is_err());
        statements(&mut *session, 0).await?;
        for _ in 0..afterwards {
            touch(session).await?;
        }
        Ok(())
    }

    /// Two statements; the second fails in the first attempt of each call.
    #[with_session]
    #[retry(immediate, max = 3, on(unique))]
    async fn second_time_lucky(session: &mut Session, next: &AtomicI64) -> Result<(), Error> {
        touch(session).await?;
        let id = if session.attempt() == 1 { 0 } else { next.fetch_add(1, Ordering::Relaxed) };
        sqlx::query(sql("INSERT INTO notes VALUES ($1, $2)")).bind(id).bind(id.to_string()).execute(&mut *session).await?;
        Ok(())
    }

    async fn on_the_pool(pool: &Pool) -> Result<(), Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(1_i64).bind(1_i64).execute(pool).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_call_costs_two_round_trips_more_than_its_statements() {
        let place = Place::new().await;
        sqlx::raw_sql("INSERT INTO notes VALUES (0, '0')").execute(&place.plain).await.unwrap();
        let proxy = Proxy::before(&place.url).unwrap();
        // No ping is due within the test, however slow the machine is.
        let pool = Pool::builder()
            .primary(proxy.url())
            .max_connections(2)
            .ping_after(std::time::Duration::from_secs(60))
            .connect()
            .await
            .unwrap();
        let (pool, next) = (&pool, &AtomicI64::new(1));

        proxy.reset();
        statements(pool, 1).await.unwrap();
        let first = proxy.round_trips();
        costs::print::<Db>("1 statement, which is prepared first", first as f64);
        assert!(first > 3, "preparing a statement must cost something: {first}");

        for n in [0_u64, 1, 2, 5, 10] {
            let what = format!("{n} statements");
            let expected = if n == 0 { 0 } else { n + 2 };
            costs::count::<Db>(&proxy, &what, expected, async || statements(pool, n as usize).await.is_ok()).await;
        }
        costs::count::<Db>(&proxy, "a failure before the first statement", 0, async || fails_after(pool, 0).await.is_err()).await;
        costs::count::<Db>(&proxy, "a failure after 2 statements", 4, async || fails_after(pool, 2).await.is_err()).await;
        costs::count::<Db>(&proxy, "1 statement, serializable", 3, async || serializable(pool).await.is_ok()).await;
        costs::count::<Db>(&proxy, "1 statement, with a deadline", 3, async || with_a_deadline(pool).await.is_ok()).await;

        costs::count::<Db>(&proxy, "1 statement and a nested call without one", 3, async || nested(pool, &[0]).await.is_ok()).await;
        costs::count::<Db>(&proxy, "1 statement and a nested call of 1", 5, async || nested(pool, &[1]).await.is_ok()).await;
        costs::count::<Db>(&proxy, "1 statement and 3 nested calls of 2", 12, async || nested(pool, &[2, 2, 2]).await.is_ok()).await;
        costs::count::<Db>(&proxy, "a statement in each of 3 nested levels", 7, async || deep(pool).await.is_ok()).await;
        costs::count::<Db>(&proxy, "3 nested calls around 1 statement", 4, async || thin(pool).await.is_ok()).await;
        costs::count::<Db>(&proxy, "a nested call of 1 that fails, swallowed, nothing behind", 4, async || swallows(pool, 0).await.is_ok()).await;
        costs::count::<Db>(&proxy, "a nested call of 1 that fails, swallowed, 1 behind", 6, async || swallows(pool, 1).await.is_ok()).await;

        costs::count::<Db>(&proxy, "2 statements, the second attempt succeeds", 8, async || second_time_lucky(pool, next).await.is_ok()).await;
        costs::count::<Db>(&proxy, "1 statement on the pool", 1, async || on_the_pool(pool).await.is_ok()).await;
        assert_eq!(pool.stats().pinged, 0);
        assert_eq!(pool.stats().opened, 1);
    }

    // The counter would see a ping: a connection that was silent for long is asked before it is used.
    #[tokio::test]
    async fn a_silent_connection_is_pinged_once() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let silence = std::time::Duration::from_millis(20);
        let pool = Pool::builder().primary(proxy.url()).ping_after(silence).connect().await.unwrap();
        on_the_pool(&pool).await.unwrap();
        let pinged = pool.stats().pinged;
        // The silence itself.
        tokio::time::sleep(3 * silence).await;
        proxy.reset();
        on_the_pool(&pool).await.unwrap();
        let pings = proxy.sent().into_iter().filter(|sent| *sent == Sent::Ping).count();
        assert_eq!((proxy.round_trips(), pings), (2, 1), "{:#?}", proxy.sent());
        assert_eq!(pool.stats().pinged, pinged + 1);
    }
}
