//! What only a server does: it goes, or its answer to COMMIT does.

each_server! {
    use crate::hooks::seen::{Ran, Seen, head, line};
    use steadfast::{Category, Error, Outcome, with_session};
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

    #[tokio::test]
    async fn every_way_of_losing_the_server() {
        let place = Place::new().await;
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        for (what, expected, rows) in [
            ("the server is lost in the body", Ran::rolled_back(Outcome::NotSent), 0),
            ("the server is lost in the body, swallowed", Ran::rolled_back(Outcome::NotSent), 0),
            ("COMMIT never came", Ran::ended(Outcome::Unknown), 0),
            ("COMMIT was applied, its answer is lost", Ran::ended(Outcome::Unknown), 1),
            ("deadline in COMMIT, the answer comes later", Ran::committed(Outcome::Committed), 1),
            ("deadline in COMMIT, then the connection is lost", Ran::ended(Outcome::Unknown), 1),
            ("dropped in COMMIT, the answer comes later", Ran::committed(Outcome::Committed), 1),
            ("dropped in COMMIT, then the connection is lost", Ran::ended(Outcome::Unknown), 0),
        ] {
            let (proxy, pool) = place.behind_proxy().await;
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
            let ran = seen.settled(&pool).await;
            place.has_open(0).await;
            let kept = place.count("notes").await;
            let line = line(NAME, what, ran, kept);
            if ran != expected || kept != rows {
                wrong.push(format!("{line}\n  expected {expected:?}, rows {rows}; in order: {:?}", seen.all()));
            }
            lines.push(line);
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
        println!("{}\n{}", head(), lines.join("\n"));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
