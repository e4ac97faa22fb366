//! The user may come in over TLS alone, and the server's certificate is verified, or the client's as well: all that a
//! pool does works.

each_server! {
    ground!();

    use steadfast::{Category, Phase, SessionPool, retry};

    type Options = <Connection as sqlx::Connection>::Options;

    impl Ground {
        /// One that lets in nobody who shows no certificate of its own.
        async fn of_certified_clients() -> Self {
            Self::start(true).await
        }
    }

    async fn is_denied(url: String) {
        let error = Pool::builder().primary(url).connect().await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::Access, Phase::Acquire), "{error}");
    }

    #[tokio::test]
    async fn a_pool_opens_no_other_connections() {
        let ground = Ground::new().await;
        is_denied(ground.url(on("sslmode=disable", "ssl-mode=DISABLED"))).await;
        assert_eq!(ground.let_in().await, 0);
        opens_as_asked(&ground).await;
    }

    #[tokio::test]
    async fn a_pool_opens_none_without_its_own_certificate() {
        let ground = Ground::of_certified_clients().await;
        is_denied(ground.checking(Check::AuthorityAndName, &ground.authority)).await;
        assert_eq!(ground.let_in().await, 0);
        opens_as_asked(&ground).await;
    }

    /// Asked for by a URL, by sqlx's options, or by a pool of sqlx's.
    async fn opens_as_asked(ground: &Ground) {
        let url = ground.checking_all();
        let options: Options = url.parse().unwrap();
        let pools = [
            Pool::builder().primary(&url).connect_lazy().unwrap(),
            Pool::builder().primary_with(options.clone()).connect_lazy().unwrap(),
            SessionPool::from(Plain::connect_lazy_with(options)),
        ];
        for (pool, connections) in pools.iter().zip([2, 4, 6]) {
            look(pool).await.unwrap();
            // The control connection is one.
            ground.has_let_in(connections).await;
        }
    }

    #[tokio::test]
    async fn a_dropped_statement_is_cancelled() {
        is_cancelled(Ground::new().await).await;
        is_cancelled(Ground::of_certified_clients().await).await;
    }

    async fn is_cancelled(ground: Ground) {
        let (proxy, pool) = ground.behind_proxy().await;
        let session = look(&pool).await.unwrap();
        for connections in [2, 3] {
            let slow = eventually("the statement runs", || ground.runs_slow());
            drop_when(slow, waits(&pool)).await;
            let ((), took) = in_its_own_time(async {
                quiet(&pool).await;
                eventually("the statement has ended", async || !ground.runs_slow().await).await;
            }).await;
            assert!(took < Duration::from_secs(1), "{took:?}");
            assert_eq!(look(&pool).await.unwrap(), session, "the same connection serves on");
            assert_eq!((ground.let_in().await, ground.entries().await), (connections, 0));
            ground.cut_control(&proxy, &pool).await;
        }
    }

    /// Holds back what the server answers from here on, COMMIT too. Nobody reads what is encrypted.
    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn unanswered(session: &mut Session, proxy: &Proxy) -> Result<u32, Error> {
        enter(session).await?;
        proxy.hold_answers();
        Ok(session.attempt())
    }

    #[tokio::test]
    async fn the_ledger_is_asked_about_a_commit_without_an_answer() {
        ledger_is_asked(Ground::new().await).await;
        ledger_is_asked(Ground::of_certified_clients().await).await;
        let counted = stats(concat!(module_path!(), "::unanswered"));
        assert_eq!((counted.committed, counted.unknown), (4, 0), "{counted:?}");
    }

    /// A pool that is closing asks by itself, and not through a session.
    async fn ledger_is_asked(ground: Ground) {
        for (is_closing, entries) in [(false, 1), (true, 2)] {
            let (proxy, pool) = ground.behind_proxy().await;
            let before = ground.let_in().await;
            let closes = async {
                eventually("it is applied", async || ground.entries().await == entries).await;
                if is_closing {
                    pool.close().await;
                }
            };
            let cuts = async {
                eventually("it is applied", async || ground.entries().await == entries).await;
                eventually("the pool is closing", async || pool.is_closed() == is_closing).await;
                let open: Vec<u64> = proxy.reports().iter().filter(|link| link.open).map(|link| link.id).collect();
                assert!(proxy.cut() > 0);
                let are_gone = || proxy.reports().iter().all(|link| !(link.open && open.contains(&link.id)));
                eventually("they are gone", async || are_gone()).await;
                proxy.resume();
            };
            let (attempt, (), ()) = tokio::join!(unanswered(&pool, &proxy), closes, cuts);
            assert_eq!(attempt.unwrap(), 1, "found committed, and not repeated");
            assert_eq!(ground.entries().await, entries);
            assert!(ground.let_in().await > before, "over a connection of its own");
        }
    }
}
