//! What `verify_commit` costs in round trips: nothing.

each_server! {
    use steadfast::{Error, RetryPolicy, retry, with_session};
    use xtask::proxy::Proxy;

    async fn touch(session: &mut Session, count: u64) -> Result<(), Error> {
        for _ in 0..count {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
                .bind(1_i64).bind(1_i64).execute(&mut *session).await?;
        }
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn verified(session: &mut Session, count: u64) -> Result<(), Error> {
        touch(session, count).await
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn bare(session: &mut Session, count: u64) -> Result<(), Error> {
        touch(session, count).await
    }

    #[with_session(read_only)]
    #[retry(policy = RetryPolicy::immediate().max(3).verify_commit())]
    async fn reads(session: &mut Session) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_verified_call_costs_two_round_trips_more_than_its_statements() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1)
            .ping_after(std::time::Duration::from_secs(60)).connect().await.unwrap();
        pool.install().await.unwrap();
        bare(&pool, 1).await.unwrap();
        reads(&pool).await.unwrap();
        for n in [0, 1, 2, 5] {
            let expected = if n == 0 { 0 } else { n + 2 };
            proxy.reset();
            bare(&pool, n).await.unwrap();
            let without = proxy.round_trips();
            proxy.reset();
            verified(&pool, n).await.unwrap();
            let with = proxy.round_trips();
            println!("{NAME:9} | {n} statements | {without} round trips, with verify_commit {with}");
            assert_eq!((without, with), (expected, expected), "{:#?}", proxy.sent());
            let noted = proxy.sent().iter().filter(|sent| sent.runs("INSERT INTO steadfast_ledger")).count();
            assert_eq!(noted, usize::from(n > 0));
        }
        proxy.reset();
        reads(&pool).await.unwrap();
        assert_eq!(proxy.round_trips(), 3, "{:#?}", proxy.sent());
        assert_eq!(place.count("steadfast_ledger").await, 3);
    }
}
