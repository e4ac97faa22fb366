//! What the doors without attributes cost in round trips, counted by a proxy.

each_server! {
    use sqlx::Executor as _;
    use steadfast::Error;
    use xtask::proxy::Proxy;

    #[tokio::test]
    async fn a_closure_costs_what_a_function_does_and_a_lease_what_its_docs_say() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1).connect().await.unwrap();
        let closure = || pool.session(concat!(module_path!(), "::closure"), async |session| {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = 1")).bind(1_i64).execute(&mut *session).await?;
            Ok::<_, Error>(())
        });
        closure().await.unwrap();
        for _ in 0..3 {
            proxy.reset();
            closure().await.unwrap();
            assert_eq!(proxy.round_trips(), 3, "{:#?}", proxy.sent());
        }
        // The first one finds a statement that sqlx has prepared.
        let (take, gives) = if NAME == "postgres" { (0, [4, 3, 3]) } else { (1, [5, 5, 5]) };
        for give in gives {
            proxy.reset();
            let mut lease = pool.acquire().await.unwrap();
            assert_eq!(proxy.round_trips(), take, "{:#?}", proxy.sent());
            lease.execute("SELECT 1").await.unwrap();
            proxy.reset();
            pool.release(lease).await.unwrap();
            assert_eq!(proxy.round_trips(), give, "{:#?}", proxy.sent());
        }
        assert_eq!(pool.stats().opened, 1);
    }
}
