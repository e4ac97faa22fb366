//! What only a server does: it goes, or its answer to COMMIT does.

each_server! {
    use crate::hooks::seen::{Ran, Seen, Table};
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, RetryPolicy, retry, with_session};
    use xtask::proxy::{Fault, Proxy};

    #[with_session]
    async fn call(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        Ok(())
    }

    #[with_session(timeout = "2s")]
    async fn hasty(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        Ok(())
    }

    #[with_session]
    async fn loses_its_server(session: &mut Session, seen: &Seen, proxy: &Proxy, swallows: bool) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        assert!(proxy.cut() > 0);
        let lost = note(session, 2).await;
        if swallows {
            assert!(lost.is_err());
            return Ok(());
        }
        Ok(lost?)
    }

    /// By another connection, and the body does not notice.
    #[with_session]
    async fn is_ended(session: &mut Session, seen: &Seen, place: &Place) -> Result<(), Error> {
        seen.watch(session);
        note(session, 1).await?;
        let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?;
        place.kill(&[id]).await;
        Ok(())
    }

    #[with_session]
    #[retry(policy = policy)]
    async fn retried(session: &mut Session, policy: RetryPolicy, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        let attempt = i64::from(session.attempt());
        note(session, attempt).await?;
        Ok(())
    }

    #[tokio::test]
    async fn every_way_of_losing_the_server() {
        let place = Place::new().await;
        let mut table = Table::of(NAME);
        for (what, expected, rows) in [
            ("the server is lost in the body", Ran::rolled_back(Outcome::NotSent), 0),
            ("the server is lost in the body, swallowed", Ran::rolled_back(Outcome::NotSent), 0),
            ("the server ends the connection ahead of COMMIT", Ran::ended(Outcome::Unknown), 0),
            ("COMMIT never came", Ran::ended(Outcome::Unknown), 0),
            ("COMMIT was applied, its answer is lost", Ran::ended(Outcome::Unknown), 1),
            ("deadline in COMMIT, the answer comes later", Ran::committed(Outcome::Committed), 1),
            ("deadline in COMMIT, then the connection is lost", Ran::ended(Outcome::Unknown), 1),
            ("dropped in COMMIT, the answer comes later", Ran::committed(Outcome::Committed), 1),
            ("dropped in COMMIT, then the connection is lost", Ran::ended(Outcome::Unknown), 0),
        ] {
            let (proxy, pool) = place.behind_proxy(1).await;
            let seen = Seen::default();
            let commit = |fault| proxy.on(|sent| sent.runs("COMMIT"), fault);
            match what {
                "the server is lost in the body" => {
                    let error = loses_its_server(&pool, &seen, &proxy, false).await.unwrap_err();
                    assert_eq!(error.category(), Category::Connection, "{error}");
                }
                "the server is lost in the body, swallowed" => {
                    loses_its_server(&pool, &seen, &proxy, true).await.unwrap_err();
                }
                "the server ends the connection ahead of COMMIT" => {
                    is_ended(&pool, &seen, &place).await.unwrap_err();
                }
                "COMMIT never came" => {
                    commit(Fault::CutBefore);
                    assert_eq!(call(&pool, &seen).await.unwrap_err().outcome(), Outcome::Unknown);
                }
                "COMMIT was applied, its answer is lost" => {
                    commit(Fault::CutAnswer);
                    assert_eq!(call(&pool, &seen).await.unwrap_err().outcome(), Outcome::Unknown);
                }
                "dropped in COMMIT, the answer comes later" | "dropped in COMMIT, then the connection is lost" => {
                    let later = what.ends_with("later");
                    commit(if later { Fault::HoldAnswer } else { Fault::HoldBefore });
                    let under_way = eventually("COMMIT is under way", || async { proxy.fired() == 1 });
                    drop_when(under_way, call(&pool, &seen)).await;
                    assert_eq!(seen.ran(), Ran::NOTHING, "the outcome is not certain yet");
                    if later { proxy.resume() } else { assert!(proxy.cut() > 0) }
                }
                _ => {
                    commit(Fault::HoldAnswer);
                    let (ended, _) = leaping(|| async { proxy.fired() == 1 }, hasty(&pool, &seen)).await;
                    assert_eq!(ended.unwrap_err().outcome(), Outcome::Unknown);
                    assert_eq!(seen.ran(), Ran::NOTHING, "the outcome is not certain yet");
                    if what.ends_with("later") { proxy.resume() } else { assert!(proxy.cut() > 0) }
                }
            }
            quiet(&pool).await;
            place.has_open(0).await;
            table.row(what, &seen, place.count("notes").await, (expected, rows));
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
        table.show();
    }

    /// What the policy says about a commit in doubt decides what the hooks are told, and how often.
    #[tokio::test]
    async fn every_way_of_losing_an_answer() {
        let place = Place::new().await;
        place.pool(1).await.install().await.unwrap();
        let mut table = Table::of(NAME);
        let (verified, idempotent) = (RetryPolicy::immediate().verify_commit(), RetryPolicy::immediate().idempotent());
        let twice = |undone| Ran { rollback: undone, end: 2, ..Ran::committed(Outcome::Committed) };
        for (what, fault, policy, expected, rows) in [
            ("COMMIT was applied, verified", Fault::CutAnswer, verified, Ran::committed(Outcome::Committed), 1),
            ("COMMIT never came, verified", Fault::CutBefore, verified.max(1), Ran::rolled_back(Outcome::RolledBack), 0),
            ("COMMIT never came, verified and retried: two attempts", Fault::CutBefore, verified, twice(1), 1),
            ("COMMIT was applied, idempotent: two attempts", Fault::CutAnswer, idempotent, twice(0), 2),
            ("COMMIT never came, idempotent: two attempts", Fault::CutBefore, idempotent, twice(0), 1),
            ("COMMIT is never answered, retried: one attempt", Fault::HoldAnswer, RetryPolicy::immediate(), Ran::ended(Outcome::Unknown), 1),
        ] {
            let proxy = Proxy::before(&place.url).unwrap();
            let limit = Duration::from_millis(250);
            let pool = Pool::builder().primary(proxy.url()).max_connections(2).commit_timeout(limit).connect().await.unwrap();
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let seen = Seen::default();
            let answer = retried(&pool, policy, &seen).await;
            assert_eq!(answer.is_ok(), expected.commit == 1, "{what}: {answer:?}");
            assert_eq!(proxy.fired(), 1, "{what}");
            quiet(&pool).await;
            place.has_open(0).await;
            table.row(what, &seen, place.count("notes").await, (expected, rows));
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
        table.show();
    }
}
