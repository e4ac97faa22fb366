//! A session that looks elsewhere by the time it commits, where there is a ledger too.

each_server! {
    use steadfast::{Error, Outcome, retry, with_session};
    use xtask::proxy::Fault;

    const ELSEWHERE: &str = if NAME.as_bytes()[0] == b'p' { "SET LOCAL search_path = " } else { "USE " };

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn moves(session: &mut Session, other: &str) -> Result<u32, Error> {
        let attempt = session.attempt();
        note(session, i64::from(attempt)).await?;
        sqlx::raw_sql(sql(&format!("{ELSEWHERE}{other}"))).execute(&mut *session).await?;
        Ok(attempt)
    }

    /// As with a schema for each tenant. The question would find no token there.
    #[tokio::test]
    async fn writes_its_token_where_the_question_finds_it() {
        for (fault, expected) in [(Fault::CutAnswer, 1), (Fault::CutBefore, 2)] {
            let (place, other) = (Place::new().await, Place::new().await);
            let (proxy, pool) = place.behind_proxy(1).await;
            pool.install().await.unwrap();
            other.pool(1).await.install().await.unwrap();
            // A connection knows where the ledger is also where it was opened before there was one.
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            assert_eq!(moves(&pool, &other.name).await.unwrap(), expected, "{fault:?}");
            assert_eq!((proxy.fired(), place.notes().await), (1, vec![i64::from(expected)]));
            assert_eq!(other.count("steadfast_ledger").await, 0);
            assert_eq!(place.count("steadfast_ledger WHERE committed").await, 1);
        }
    }

    #[with_session(timeout = "2s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn hasty(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        Ok(())
    }

    /// The error knows where to look, whatever the pool it is asked with takes for granted.
    #[tokio::test]
    async fn is_resolved_by_a_pool_that_looks_elsewhere() {
        let (place, other) = (Place::new().await, Place::new().await);
        let (proxy, pool) = place.behind_proxy(1).await;
        pool.install().await.unwrap();
        let elsewhere = other.pool(1).await;
        elsewhere.install().await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        let (ended, _) = leaping(|| async { proxy.fired() == 1 }, hasty(&pool)).await;
        let error = ended.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(error.resolve(&elsewhere).await.unwrap(), Outcome::Committed);
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::Committed);
        proxy.resume();
    }
}
