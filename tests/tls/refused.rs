//! A server that does not prove who it is gets no word: neither from sessions, nor from cancels, nor from questions to
//! the ledger.

each_server! {
    ground!();

    use steadfast::{Category, Outcome, Phase, retry};
    use xtask::servers::Identity;

    impl Ground {
        /// Has it prove to all who come from now on that it is somebody else.
        async fn present(&self, identity: &Identity) {
            self.server.renew(identity).unwrap();
            if NAME == "mysql" {
                self.shaken.fetch_add(self.handshakes().await, Relaxed);
                sqlx::raw_sql("FLUSH SSL").execute(&self.plain).await.unwrap();
                return;
            }
            let loaded = async || -> String {
                use sqlx::Connection as _;
                let mut fresh = Connection::connect(&self.server.url()).await.unwrap();
                let loaded = sqlx::query_scalar("SELECT pg_conf_load_time()::text").fetch_one(&mut fresh).await;
                fresh.close().await.unwrap();
                loaded.unwrap()
            };
            let before = loaded().await;
            sqlx::query("SELECT pg_reload_conf()").execute(&self.plain).await.unwrap();
            eventually("it is taken", async || loaded().await != before).await;
        }
    }

    /// How long a pool tries to connect.
    const WITHIN: Duration = Duration::from_millis(300);

    const MARGIN: Duration = Duration::from_millis(50);

    fn is_of_certificates(error: &Error) {
        assert_eq!((error.category(), error.phase(), error.outcome()), (Category::Connection, Phase::Acquire, Outcome::NotSent));
        let text = format!("{error:#} {error:?}");
        assert!(text.contains("certificate"), "{text}");
    }

    /// By what opens a connection at once, and by a session's first statement.
    async fn is_refused(url: &str) {
        let builder = || Pool::builder().primary(url).acquire_timeout(WITHIN);
        let pool = builder().connect_lazy().unwrap();
        let both = async { tokio::join!(builder().connect(), look(&pool)) };
        let ((opened, looked), took) = in_its_own_time(both).await;
        is_of_certificates(&opened.unwrap_err());
        is_of_certificates(&looked.unwrap_err());
        assert!(took < WITHIN + MARGIN, "{took:?}");
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn what_is_checked_is_what_was_asked_for() {
        let ground = Ground::new().await;
        let (elsewhere, stranger) = {
            let identity = ground.authority.certify("DNS:elsewhere.test").unwrap();
            (identity, blocking(|| Authority::create().unwrap()).await)
        };
        let accepts = async |url: &str, connections| {
            look(&Pool::builder().primary(url).connect().await.unwrap()).await.unwrap();
            ground.has_let_in(connections).await;
        };
        is_refused(&ground.checking(Check::AuthorityAndName, &stranger)).await;
        is_refused(&ground.checking(Check::Authority, &stranger)).await;
        assert_eq!(ground.let_in().await, 0);
        accepts(&ground.checking(Check::Nothing, &stranger), 2).await;
        // The authority is right, and the name is not.
        ground.present(&elsewhere).await;
        is_refused(&ground.checking(Check::AuthorityAndName, &ground.authority)).await;
        assert_eq!(ground.let_in().await, 2);
        accepts(&ground.checking(Check::Authority, &ground.authority), 4).await;
    }

    /// Has the answer to its COMMIT held back.
    #[with_session(timeout = "1s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn unanswered(session: &mut Session, proxy: &Proxy) -> Result<(), Error> {
        enter(session).await?;
        proxy.hold_answers();
        Ok(())
    }

    /// The certificate changes while a pool is open: what is open stays, and all that would be opened is refused.
    #[tokio::test]
    async fn an_impostor_is_neither_told_to_cancel_nor_asked_about_a_commit() {
        let ground = Ground::new().await;
        let (own, impostor) = {
            let own = ground.authority.certify(HERE).unwrap();
            (own, blocking(|| Authority::create().unwrap().certify(HERE).unwrap()).await)
        };
        let (proxy, pool) = ground.behind_proxy().await;
        ground.cut_control(&proxy, &pool).await;
        ground.present(&impostor).await;
        let tried = proxy.reports().len();
        let slow = eventually("the statement runs", || ground.runs_slow());
        drop_when(slow, waits(&pool)).await;
        let ((), took) = in_its_own_time(quiet(&pool)).await;
        assert!(took < Duration::from_secs(1) + MARGIN, "{took:?}");
        assert!(proxy.reports().len() > tried, "a cancel was to be sent");
        assert_eq!((ground.let_in().await, ground.entries().await), (2, 0));

        ground.present(&own).await;
        look(&pool).await.unwrap();
        // The session's, and the control connection again.
        ground.has_let_in(4).await;
        ground.present(&impostor).await;
        let tried = proxy.reports().len();
        let cuts = async {
            eventually("it is applied", async || ground.entries().await == 1).await;
            assert!(proxy.cut() > 0);
            eventually("the call has seen it", async || proxy.reports().len() > tried).await;
            proxy.resume();
        };
        let both = async { tokio::join!(unanswered(&pool, &proxy), cuts) };
        let ((ended, ()), took) = in_its_own_time(both).await;
        let error = ended.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert!(took < Duration::from_millis(1_100) + MARGIN, "{took:?}");
        assert_eq!(ground.let_in().await, 4);

        ground.present(&own).await;
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::Committed);
        assert_eq!(ground.entries().await, 1);
    }
}
