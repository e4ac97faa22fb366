//! Somebody asks while the COMMIT is still on its way.

each_server! {
    use crate::hooks::seen::{Ran, Seen};
    use std::time::Duration;
    use steadfast::{Category, Error, Outcome, RetryPolicy, retry, with_session};
    use xtask::proxy::{Fault, Proxy, Sent};

    async fn set_up() -> (Place, Proxy, Pool) {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(2).await;
        pool.install().await.unwrap();
        (place, proxy, pool)
    }

    #[with_session(timeout = "2s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn hasty(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3, verify_commit)]
    async fn patient(session: &mut Session, seen: &Seen) -> Result<u32, Error> {
        let attempt = session.attempt();
        seen.watch_as(session, &format!("{attempt}: "));
        note(session, i64::from(session.attempt())).await?;
        Ok(attempt)
    }

    /// What a call answers whose deadline passes while its COMMIT is held.
    async fn held(proxy: &Proxy, pool: &Pool, seen: &Seen) -> Error {
        let (ended, took) = leaping(|| async { proxy.fired() == 1 }, hasty(pool, seen)).await;
        assert!(about(2_100).contains(&took), "{took:?}");
        ended.unwrap_err()
    }

    #[tokio::test]
    async fn a_deadline_leaves_it_unknown_and_later_the_error_tells() {
        let (place, proxy, pool) = set_up().await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        let seen = Seen::default();
        let error = held(&proxy, &pool, &seen).await;
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error}");
        assert_eq!((proxy.fired(), seen.ran()), (1, Ran::NOTHING));
        // Twice, and over another pool: the same.
        let other = place.pool(1).await;
        for pool in [&pool, &pool, &other, &other] {
            assert_eq!(error.resolve(pool).await.unwrap(), Outcome::Committed);
        }
        assert_eq!(place.count("notes").await, 1);
        proxy.resume();
        assert_eq!(seen.settled(&pool).await, Ran::committed(Outcome::Committed));
        let counted = stats(concat!(module_path!(), "::hasty"));
        assert_eq!(counted.unknown, 0, "{counted:?}");
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::Committed);
    }

    /// The fence: who has asked and was told `RolledBack` is never made a liar.
    /// Trap 9: the verification of a commit itself guesses.
    #[tokio::test]
    async fn a_commit_that_comes_after_the_question_is_undone() {
        let (place, proxy, pool) = set_up().await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        let seen = Seen::default();
        let error = held(&proxy, &pool, &seen).await;
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        let other = place.pool(1).await;
        for pool in [&pool, &other] {
            assert_eq!(error.resolve(pool).await.unwrap(), Outcome::RolledBack);
        }
        let before = proxy.sent().len();
        proxy.resume();
        assert_eq!(seen.settled(&pool).await, Ran::rolled_back(Outcome::RolledBack));
        assert!(proxy.sent().len() > before, "it went on: a rollback followed it");
        assert_eq!(place.count("notes").await, 0);
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::RolledBack);
        assert_eq!(pool.stats().opened, 2, "the connection is proven, and serves on");
    }

    /// The token in the batch, as the database writes it.
    fn token(sent: &[Sent]) -> String {
        let batch = sent.iter().rev().find_map(|sent| match sent {
            Sent::Query(text) if text.contains("steadfast_ledger") && text.contains("COMMIT") => Some(text.clone()),
            _ => None,
        });
        let batch = batch.expect("the COMMIT's batch has gone by");
        let (_, values) = batch.split_once("VALUES (").unwrap();
        values.split_once(',').unwrap().0.to_owned()
    }

    /// Whether a fence or a clash: the token is there already.
    #[tokio::test]
    async fn a_commit_that_is_fenced_off_while_its_caller_waits_is_repeated() {
        for mark in ["0 = 1", "1 = 1"] {
            let (place, proxy, pool) = set_up().await;
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
            let seen = Seen::default();
            let fence = async {
                eventually("COMMIT is under way", || async { proxy.fired() == 1 }).await;
                let token = token(&proxy.sent());
                let fence = format!("INSERT INTO steadfast_ledger (token, committed, version) VALUES ({token}, {mark}, 1)");
                sqlx::raw_sql(sqlx::AssertSqlSafe(fence)).execute(&place.plain).await.unwrap();
                proxy.resume();
            };
            let (attempt, ()) = tokio::join!(patient(&pool, &seen), fence);
            assert_eq!(attempt.unwrap(), 2);
            assert_eq!(seen.all(), ["1: rollback", "1: end rolled_back", "2: commit", "2: end committed"]);
            assert_eq!(place.count("notes").await, 1);
            assert_quiet(&pool);
        }
        let counted = stats(concat!(module_path!(), "::patient"));
        assert!(counted.failed(Category::Conflict) == 0 && counted.retried_after(Category::Conflict) == 2, "{counted:?}");
    }

    #[with_session]
    #[retry(policy = RetryPolicy::immediate().max(1).verify_commit())]
    async fn once(session: &mut Session) -> Result<(), Error> {
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_commit_that_is_fenced_off_says_so() {
        let (place, proxy, pool) = set_up().await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        let fence = async {
            eventually("COMMIT is under way", || async { proxy.fired() == 1 }).await;
            let token = token(&proxy.sent());
            let fence = format!("INSERT INTO steadfast_ledger (token, committed, version) VALUES ({token}, 0 = 1, 1)");
            sqlx::raw_sql(sqlx::AssertSqlSafe(fence)).execute(&place.plain).await.unwrap();
            proxy.resume();
        };
        let (ended, ()) = tokio::join!(once(&pool), fence);
        let error = ended.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Conflict, Outcome::RolledBack), "{error}");
        assert!(error.is_retryable());
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::RolledBack, "an error without doubt answers what it has");
        assert_eq!(place.count("notes").await, 0);
    }

    /// Given up by its own caller: the first attempt is fenced off before the second begins.
    #[tokio::test]
    async fn a_commit_that_was_given_up_does_not_come_back() {
        let place = Place::new().await;
        let proxy = Proxy::before(&place.url).unwrap();
        let pool = Pool::builder().primary(proxy.url()).max_connections(1)
            .commit_timeout(Duration::from_millis(250)).connect().await.unwrap();
        pool.install().await.unwrap();
        proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        let seen = Seen::default();
        assert_eq!(patient(&pool, &seen).await.unwrap(), 2, "the first is given up after 250 ms");
        assert_eq!(seen.all(), ["1: rollback", "1: end rolled_back", "2: commit", "2: end committed"]);
        proxy.resume();
        place.has_open(0).await;
        assert_eq!(place.count("notes").await, 1, "that of the second attempt");
        assert_eq!(place.count("notes WHERE id = 2").await, 1);
    }

    /// The token is written and the COMMIT behind it takes its time: the question waits for it.
    #[tokio::test]
    async fn a_commit_that_is_at_work_is_waited_for() {
        if NAME == "mysql" {
            // There is nothing on MySQL that makes a COMMIT slow.
            return;
        }
        let (place, _proxy, pool) = set_up().await;
        sqlx::raw_sql(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();",
        ).execute(&place.plain).await.unwrap();
        let seen = Seen::default();
        let works = || async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%steadfast_ledger%'";
            sqlx::query_scalar::<_, i64>(sql(waiting)).fetch_one(&place.plain).await.unwrap() > 0
        };
        let (ended, took) = leaping(works, hasty_without_server_limit(&pool, &seen)).await;
        assert!(about(2_100).contains(&took), "{took:?}");
        let error = ended.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(place.count("notes").await, 0, "it is at work still");
        assert_eq!(error.resolve(&pool).await.unwrap(), Outcome::Committed);
        assert_eq!(place.count("notes").await, 1);
        assert_eq!(seen.settled(&pool).await, Ran::committed(Outcome::Committed));
    }

    /// The deadline travels with BEGIN as the server's own limit, which would end this COMMIT.
    #[with_session(timeout = "2s")]
    #[retry(immediate, max = 3, verify_commit)]
    async fn hasty_without_server_limit(session: &mut Session, seen: &Seen) -> Result<(), Error> {
        seen.watch(session);
        if NAME == "postgres" {
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *session).await?;
        }
        note(session, i64::from(session.attempt())).await?;
        Ok(())
    }
}
