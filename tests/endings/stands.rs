//! What an error says of the work is said of its own call: of what was dropped in it, of another call's session inside of
//! it, and of the attempts ahead of the last.

each_database! {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use steadfast::{Error, Outcome, with_session};
    use sqlx::Executor as _;

    async fn insert(executor: impl sqlx::Executor<'_, Database = Db>, id: i64) -> sqlx::Result<()> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, 'x')")).bind(id).execute(executor).await?;
        Ok(())
    }

    /// Writes at its end, which it does not come to.
    fn slow_write() -> String {
        match NAME {
            "postgres" => "INSERT INTO notes (id, body) SELECT 7, 'x' FROM pg_sleep(30)".to_owned(),
            "mysql" => "INSERT INTO notes (id, body) SELECT 7 + SLEEP(30), 'x'".to_owned(),
            _ => format!("INSERT INTO notes (id, body) SELECT 7, ({SLOW})"),
        }
    }

    type Seen = Arc<Mutex<Option<Outcome>>>;

    #[with_session(autocommit)]
    async fn drops_and_fails(session: &mut Session, writes_before: bool, seen: &Seen) -> Result<(), Error> {
        let end = Arc::clone(seen);
        session.on_end(move |outcome| *end.lock().unwrap() = Some(outcome));
        if writes_before {
            insert(&mut *session, 1).await?;
        }
        let slow = sqlx::AssertSqlSafe(slow_write());
        let dropped = tokio::time::timeout(Duration::from_millis(60), session.execute(slow)).await;
        assert!(dropped.is_err(), "{dropped:?}");
        session.execute("SELECT nothing FROM nowhere").await?;
        Ok(())
    }

    /// The dropped statement was stopped, and has done nothing.
    #[tokio::test]
    async fn a_statement_that_was_stopped_in_autocommit_is_not_committed() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for (writes_before, expected) in [(false, Outcome::RolledBack), (true, Outcome::Committed)] {
            let seen = Seen::default();
            let error = drops_and_fails(&pool, writes_before, &seen).await.unwrap_err();
            let left = place.notes().await;
            assert_eq!(left, if writes_before { vec![1] } else { vec![] });
            assert_eq!((error.outcome(), *seen.lock().unwrap()), (expected, Some(expected)), "{error}");
        }
    }

    #[with_session(autocommit)]
    async fn lends_and_fails(session: &mut Session) -> Result<(), Error> {
        let swallowed = insert(session.raw().await?, 1).await;
        assert!(swallowed.is_err(), "its id is taken");
        session.execute("SELECT nothing FROM nowhere").await?;
        Ok(())
    }

    /// Nobody has seen whether what was lent wrote anything.
    #[tokio::test]
    async fn what_was_lent_in_autocommit_leaves_a_doubt() {
        let place = Place::new().await;
        insert(&place.plain, 1).await.unwrap();
        let pool = place.pool(1).await;
        let error = lends_and_fails(&pool).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert_eq!(place.notes().await, [1]);
    }

    #[with_session]
    async fn fails_inside(session: &mut Session) -> Result<(), Error> {
        insert(&mut *session, 2).await?;
        session.execute("SELECT nothing FROM nowhere").await?;
        Ok(())
    }

    #[with_session(autocommit)]
    async fn fails_alone(session: &mut Session) -> Result<(), Error> {
        insert(&mut *session, 2).await?;
        session.execute("SELECT nothing FROM nowhere").await?;
        Ok(())
    }

    #[with_session(autocommit)]
    async fn claims(session: &mut Session, pool: &Pool) -> Result<(), Error> {
        insert(session, 1).await?;
        fails_inside(pool).await
    }

    #[with_session]
    async fn holds(session: &mut Session, pool: &Pool) -> Result<(), Error> {
        sqlx::query("SELECT * FROM notes").fetch_all(session).await?;
        fails_alone(pool).await
    }

    #[tokio::test]
    async fn the_outcome_of_an_inner_call_is_not_that_of_the_outer_one() {
        let place = Place::new().await;
        let pool = place.pool(2).await;
        let error = claims(&pool, &pool).await.unwrap_err();
        assert_eq!((error.outcome(), place.notes().await), (Outcome::Committed, vec![1]), "{error}");
        let other = Place::new().await;
        let (own, another) = (place.pool(1).await, other.pool(1).await);
        let error = holds(&own, &another).await.unwrap_err();
        assert_eq!((error.outcome(), other.notes().await), (Outcome::Unknown, vec![2]), "its own work is gone, the other's is there: {error}");
        assert!(!error.is_retryable());
        assert!(error.operation().is_some_and(|name| name.ends_with("fails_alone")), "{error:?}");
    }
}

mod attempts {
    each_server! {
        use steadfast::{Error, SessionError, retry, with_session};
        use xtask::proxy::Fault;

        #[derive(Debug, thiserror::Error, SessionError)]
        enum Refusal {
            #[error("the body's own")]
            Own,
            #[session]
            #[error(transparent)]
            Session(Error),
        }

        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Last {
            Error,
            Panic,
            RollbackOnly,
            Committed,
        }

        macro_rules! ends_in {
            ($($name:ident: $last:ident;)*) => {$(
                #[with_session]
                #[retry(immediate, max = 2, idempotent)]
                async fn $name(session: &mut Session) -> Result<(), Refusal> {
                    run(session, Last::$last).await
                }
            )*};
        }
        ends_in! { in_an_error: Error; in_a_panic: Panic; in_rollback_only: RollbackOnly; in_a_commit: Committed; }

        async fn run(session: &mut Session, last: Last) -> Result<(), Refusal> {
            let is_last = session.attempt() == 2;
            if is_last {
                match last {
                    Last::Error => return Err(Refusal::Own),
                    Last::Panic => panic!("on purpose"),
                    Last::RollbackOnly => session.set_rollback_only(),
                    Last::Committed => {}
                }
            }
            note(session, if is_last { 2 } else { 1 }).await.map_err(Error::from)?;
            Ok(())
        }

        /// The first attempt was committed, and its answer lost.
        #[tokio::test]
        async fn an_attempt_in_doubt_is_counted_whatever_the_last_one_came_to() {
            let place = Place::new().await;
            let (proxy, pool) = place.behind_proxy(1).await;
            for last in [Last::Error, Last::Panic, Last::RollbackOnly, Last::Committed] {
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
                proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
                let (fired, pool) = (proxy.fired(), pool.clone());
                let call = tokio::spawn(async move {
                    match last {
                        Last::Error => in_an_error(&pool).await,
                        Last::Panic => in_a_panic(&pool).await,
                        Last::RollbackOnly => in_rollback_only(&pool).await,
                        Last::Committed => in_a_commit(&pool).await,
                    }
                });
                let ended = call.await;
                assert_eq!(proxy.fired() - fired, 1, "{last:?}");
                match last {
                    Last::Error => assert!(matches!(ended, Ok(Err(Refusal::Own))), "{ended:?}"),
                    Last::Panic => assert!(ended.unwrap_err().is_panic()),
                    _ => ended.unwrap().unwrap(),
                }
                let (name, left, unknown) = match last {
                    Last::Error => ("in_an_error", vec![1], 1),
                    Last::Panic => ("in_a_panic", vec![1], 1),
                    Last::RollbackOnly => ("in_rollback_only", vec![1], 1),
                    Last::Committed => ("in_a_commit", vec![1, 2], 0),
                };
                assert_eq!(place.notes().await, left, "{last:?}");
                let stats = stats(&format!("stands::attempts::{}::{name}", NAME));
                assert_eq!((stats.unknown, stats.committed), (unknown, 1 - unknown), "{last:?}: {stats:?}");
            }
        }
    }
}

/// In autocommit the end is proven where a connection was lent.
mod proof {
    each_server! {
        use std::sync::atomic::{AtomicU32, Ordering};
        use steadfast::{Category, Error, Outcome, retry, with_session};
        use xtask::proxy::Fault;

        #[with_session(autocommit)]
        #[retry(immediate, max = 2, idempotent)]
        async fn lends(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
            runs.fetch_add(1, Ordering::Relaxed);
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(session.raw().await?).await?;
            Ok(())
        }

        #[tokio::test]
        async fn a_connection_that_is_lost_at_the_end_is_no_mistake_of_the_code() {
            let place = Place::new().await;
            let (proxy, pool) = place.behind_proxy(1).await;
            let runs = AtomicU32::new(0);
            lends(&pool, &runs).await.unwrap();
            let before = (runs.load(Ordering::Relaxed), proxy.fired());
            let proof = if NAME == "postgres" { "SELECT transaction_timestamp()" } else { "ROLLBACK" };
            proxy.on_each(move |sent| sent.runs(proof), Fault::CutBefore);
            let error = lends(&pool, &runs).await.unwrap_err();
            proxy.disarm();
            assert_eq!((error.category(), error.outcome()), (Category::Connection, Outcome::Unknown), "{error}");
            assert_eq!((runs.load(Ordering::Relaxed) - before.0, proxy.fired() - before.1), (2, 2), "{error}");
        }
    }
}

mod refused_commit {
    use steadfast::{Category, Error, Outcome, with_session};
    use xtask::proxy::Fault;

    use crate::support::{is_quiet, postgres::*, quiet};

    #[with_session(timeout = "200ms")]
    async fn breaks_a_promise(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO kept VALUES (7)")
            .execute(session)
            .await?;
        Ok(())
    }

    /// Only PostgreSQL refuses a COMMIT on a connection that may go silent: for its constraints that wait for it.
    #[tokio::test]
    async fn one_whose_rollback_is_not_answered_keeps_to_its_deadline() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE promised (id BIGINT PRIMARY KEY); CREATE TABLE kept (id BIGINT REFERENCES promised DEFERRABLE INITIALLY DEFERRED)")
            .execute(&place.plain)
            .await
            .unwrap();
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| sent.runs("ROLLBACK"), Fault::HoldBefore);
        let error = breaks_a_promise(&pool).await.unwrap_err();
        // The reaper waits for the answer, and nobody else.
        assert!(!is_quiet(&pool), "{:?}", pool.stats());
        assert_eq!(proxy.fired(), 1);
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
        assert!(
            matches!(error.category(), Category::Integrity(_)),
            "{error}"
        );
        proxy.resume();
        quiet(&pool).await;
        assert_eq!(place.count("kept").await, 0);
    }
}

/// What is dropped while it is prepared sqlx loses step over, on MariaDB.
mod prepared {
    each_server! {
        use std::time::Duration;
        use steadfast::{Error, Outcome, with_session};

        #[with_session(autocommit)]
        async fn drops(session: &mut Session, polls: usize, text: &str, fails: bool) -> Result<(), Error> {
            let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(7_i64);
            let _ = drop_at_poll(query.execute(&mut *session), polls).await;
            if fails { Err(sqlx::Error::RowNotFound.into()) } else { Ok(()) }
        }

        #[tokio::test]
        async fn one_that_is_dropped_meanwhile_in_autocommit_is_no_trouble_of_the_next_users() {
            let place = Place::new().await;
            let (proxy, pool) = place.behind_proxy(1).await;
            let sign = if NAME == "postgres" { "$1" } else { "?" };
            for (polls, fails) in [(1, false), (2, false), (1, true), (2, true), (3, true), (4, true)] {
                // A text that the connection has not prepared yet.
                let text = format!("INSERT INTO notes (id, body) VALUES ({sign}, 'x{polls}{fails}')");
                proxy.delay(Duration::from_millis(5));
                let ended = drops(&pool, polls, &text, fails).await;
                proxy.delay(Duration::ZERO);
                let left = place.notes().await;
                if let Err(error) = &ended {
                    let told = error.outcome();
                    assert!(told == Outcome::Unknown || (told == Outcome::Committed) == (left == [7]), "poll {polls}: {error}: {left:?}");
                }
                let mut session = in_time(pool.begin()).await.unwrap();
                in_time(note(&mut session, 8)).await.unwrap();
                in_time(session.commit()).await.unwrap();
                assert!(place.notes().await.contains(&8), "poll {polls}");
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
    }
}

mod swallowed {
    use sqlx::{Connection as _, Executor as _};
    use steadfast::{Error, Outcome, with_session};

    use crate::support::postgres::*;

    async fn helper(connection: &mut sqlx::PgConnection) -> sqlx::Result<()> {
        let mut part = connection.begin().await?;
        part.execute("INSERT INTO notes (id, body) VALUES (2, 'b')")
            .await?;
        part.commit().await
    }

    #[with_session]
    async fn goes_on(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        let _ = session.raw().await?.execute("SELECT 1 / 0").await;
        helper(session.raw().await?).await?;
        Ok(())
    }

    /// On PostgreSQL the transaction has failed by that: it is refused ahead of the helper, whose `begin` would roll back
    /// all of it.
    #[tokio::test]
    async fn what_failed_on_a_loan_dooms_before_the_next() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = goes_on(&pool).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
        assert_eq!((place.notes().await, pool.stats().opened), (vec![], 1));
    }
}
