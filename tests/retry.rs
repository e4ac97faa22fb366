//! Attempts: how many, how soon, after what, and what each of them finds.

each_database! {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::time::Duration;
    use tokio::time::Instant;
    use steadfast::{
        retry, with_session, Category, Classify, Error, Integrity, Outcome, Phase, RetryPolicy, SessionError,
    };

    async fn note(session: &mut Session, id: i64, body: &str) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
            .bind(id).bind(body).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn always_fails(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 1, "left behind").await?;
        Err(transient())
    }

    /// Trap 26: "attempts" and "retries" are confused.
    #[tokio::test]
    async fn max_counts_attempts() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        let error = always_fails(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::RolledBack));
        let numbers: Vec<_> = error.attempts().iter().map(|attempt| attempt.number()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert!(error.to_string().contains("after 3 attempts"), "{error}");
        assert_eq!(place.count("notes").await, 0);
        let stats = stats(concat!(module_path!(), "::always_fails"));
        assert_eq!((stats.started, stats.rolled_back, stats.retried), (1, 1, 2));
        assert_eq!((stats.retried_after(Category::Capacity), stats.failed(Category::Capacity)), (2, 1));
    }

    #[with_session]
    #[retry(immediate)]
    async fn third_time_lucky(session: &mut Session, ids: &std::sync::Mutex<Vec<(u32, u64)>>) -> Result<u32, Error> {
        let attempt = session.attempt();
        ids.lock().unwrap().push((attempt, session.id()));
        // The row of a failed attempt would be in the way.
        note(session, 1, "once").await?;
        if attempt < 3 { Err(transient()) } else { Ok(attempt) }
    }

    /// Trap 1: the retry runs inside the transaction that failed.
    #[tokio::test]
    async fn an_attempt_starts_from_a_clean_transaction() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let ids = std::sync::Mutex::new(Vec::new());
        assert_eq!(third_time_lucky(&pool, &ids).await.unwrap(), 3);
        assert_eq!(place.count("notes").await, 1);
        let ids = ids.into_inner().unwrap();
        assert_eq!(ids.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(ids.iter().all(|(_, id)| *id == ids[0].1), "one call, one id: {ids:?}");
        let stats = stats(concat!(module_path!(), "::third_time_lucky"));
        assert_eq!((stats.started, stats.committed, stats.rolled_back, stats.retried), (1, 1, 0, 2));
        assert_eq!(stats.failures().count(), 0, "the call did not fail");
    }

    #[with_session]
    #[retry(fixed, base = "40ms", max = 3)]
    async fn fixed(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(exponential, base = "20ms", factor = 3, jitter = none, max = 3)]
    async fn exponential(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(exponential, base = "20ms", cap = "30ms", factor = 3, jitter = none, max = 3)]
    async fn capped(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(immediate, max = 50)]
    async fn immediate(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    #[retry(none)]
    async fn never(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[with_session]
    async fn without(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn each_strategy_waits_as_it_says() {
        let place = Place::new().await;
        // Fifty attempts are more than a pool in trouble is given.
        let pool = place.builder(1).retry_budget(steadfast::RetryBudget::unlimited()).connect().await.unwrap();
        // No body sends anything: all that passes is the waits.
        let clock = Clock::stop();
        clock.leap();
        macro_rules! waits {
            ($function:ident, $runs:literal, $millis:expr) => {{
                let (runs, began) = (AtomicU32::new(0), Instant::now());
                $function(&pool, &runs).await.unwrap_err();
                assert_eq!(runs.load(SeqCst), $runs);
                let took = began.elapsed();
                assert!(about($millis).contains(&took), "{}: {took:?}", stringify!($function));
            }};
        }
        waits!(fixed, 3, 40 + 40);
        waits!(exponential, 3, 20 + 60);
        waits!(capped, 3, 20 + 30);
        waits!(immediate, 50, 0);
        waits!(never, 1, 0);
        waits!(without, 1, 0);
    }

    #[with_session]
    #[retry(fixed, base = "150ms", within = "400ms", max = 100)]
    async fn within_limit(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn within_ends_the_attempts() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        clock.leap();
        let (runs, began) = (AtomicU32::new(0), Instant::now());
        within_limit(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 3, "at 0, 150 and 300 ms");
        let took = began.elapsed();
        assert!(about(300).contains(&took), "{took:?}");
    }

    #[with_session(timeout = "10s")]
    #[retry(fixed, base = "1m")]
    async fn no_time_left(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        let _ = &session;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_not_begun() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clock = Clock::stop();
        clock.leap();
        let (runs, began) = (AtomicU32::new(0), Instant::now());
        let error = no_time_left(&pool, &runs).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!((runs.load(SeqCst), error.category()), (1, Category::Capacity));
    }

    #[with_session]
    #[retry(immediate, max = 4, on(unique))]
    async fn until_free(session: &mut Session, runs: &AtomicU32, plain: &Plain) -> Result<(), Error> {
        let run = runs.fetch_add(1, SeqCst) + 1;
        if run == 3 {
            sqlx::query("DELETE FROM notes").execute(plain).await?;
        }
        note(session, 2, "taken").await
    }

    #[with_session]
    #[retry(immediate, max = 4)]
    async fn not_on_unique(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 2, "taken").await
    }

    /// Trap 14: everything is retried.
    #[tokio::test]
    async fn on_widens_what_is_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        sqlx::query("INSERT INTO notes VALUES (1, 'taken')").execute(&place.plain).await.unwrap();
        let runs = AtomicU32::new(0);
        let error = not_on_unique(&pool, &runs).await.unwrap_err();
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        assert_eq!(runs.swap(0, SeqCst), 1);
        assert!(error.attempts().is_empty(), "nothing was retried: {error:?}");

        // SQLite has one writer at a time: the plain one must not come from inside the session.
        if NAME == "sqlite" {
            let widened = RetryPolicy::immediate().max(4).also(Category::Integrity(Integrity::Unique));
            let error = with_policy(&pool, widened, &runs, "taken").await.unwrap_err();
            assert_eq!((runs.load(SeqCst), error.attempts().len()), (4, 4));
            return;
        }
        until_free(&pool, &runs, &place.plain).await.unwrap();
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!(place.count("notes").await, 1);
    }

    #[with_session]
    #[retry(policy = policy)]
    async fn with_policy(session: &mut Session, policy: RetryPolicy, runs: &AtomicU32, body: &str) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 3, body).await?;
        Err(transient())
    }

    #[tokio::test]
    async fn a_policy_may_be_made_at_run_time() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for max in [1, 2, 5] {
            let runs = AtomicU32::new(0);
            let policy = RetryPolicy::immediate().max(max);
            with_policy(&pool, policy, &runs, "free").await.unwrap_err();
            assert_eq!(runs.load(SeqCst), max);
        }
    }

    #[with_session]
    #[retry(immediate, max = 4)]
    async fn changing_errors(session: &mut Session) -> Result<(), Error> {
        match session.attempt() {
            1 => Err(transient()),
            2 => {
                note(session, 4, "b").await?;
                Err(sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()).into())
            }
            _ => note(session, 5, "taken").await,
        }
    }

    #[tokio::test]
    async fn attempts_hold_the_error_of_each() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        sqlx::query("INSERT INTO notes VALUES (1, 'taken')").execute(&place.plain).await.unwrap();
        let error = changing_errors(&pool).await.unwrap_err();
        let seen: Vec<_> = error.attempts().iter().map(|attempt| (attempt.number(), attempt.category())).collect();
        let unique = Category::Integrity(Integrity::Unique);
        assert_eq!(seen, [(1, Category::Capacity), (2, Category::Connection), (3, unique)]);
        assert_eq!(error.category(), unique);
        assert_eq!(error.attempts()[2].code(), error.code());
        assert!(error.code().is_some());
        assert!(error.attempts().iter().all(|attempt| attempt.phase() == Phase::Body));
        assert_eq!(error.attempts()[0].outcome(), Outcome::NotSent, "no statement was sent");
        assert_eq!(error.attempts()[1].outcome(), Outcome::RolledBack);
        assert_eq!(error.attempts()[2].outcome(), Outcome::RolledBack);
    }

    #[with_session]
    #[retry(fixed, base = "10m")]
    async fn long_wait(session: &mut Session, runs: std::sync::Arc<AtomicU32>) -> Result<(), Error> {
        note(session, 6, "x").await?;
        runs.fetch_add(1, SeqCst);
        Err(transient())
    }

    /// Trap 1: the retry runs inside the transaction that failed.
    #[tokio::test]
    async fn the_old_session_is_over_before_the_wait() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = std::sync::Arc::new(AtomicU32::new(0));
        let call = tokio::spawn({
            let (pool, runs) = (pool.clone(), runs.clone());
            async move { long_wait(&pool, runs).await }
        });
        eventually("the first attempt has failed", || async { runs.load(SeqCst) == 1 }).await;
        // The only slot serves somebody else while the call waits for ten minutes.
        let (one,): (i32,) = sqlx::query_as("SELECT 1").fetch_one(&pool).await.unwrap();
        assert_eq!(one, 1);
        assert!(!call.is_finished());
        assert!(pool.sessions().is_empty(), "{:?}", pool.sessions());
        assert_eq!(pool.stats().in_use, 0);
        assert_eq!(place.open_transactions().await, 0);
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }

    /// Counts how often it is cloned, and carries what a body may change.
    #[derive(Debug)]
    struct Argument<'a>(Vec<u32>, &'a AtomicU32);

    impl Clone for Argument<'_> {
        fn clone(&self) -> Self {
            self.1.fetch_add(1, SeqCst);
            Self(self.0.clone(), self.1)
        }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn spends_its_argument(session: &mut Session, mut list: Argument<'_>, (a, b): (String, i64)) -> Result<(u32, String), Error> {
        assert_eq!((list.0.len(), &*a, b), (1, "whole", 7), "what an earlier attempt did is not seen");
        list.0.push(2);
        drop(list);
        if session.attempt() < 3 { Err(transient()) } else { Ok((session.attempt(), a)) }
    }

    /// Trap 13: state captured by a failed attempt leaks into the next.
    #[tokio::test]
    async fn each_attempt_gets_clones_of_the_arguments() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let clones = AtomicU32::new(0);
        let (attempt, text) = spends_its_argument(&pool, Argument(vec![1], &clones), ("whole".to_owned(), 7)).await.unwrap();
        assert_eq!((attempt, &*text), (3, "whole"));
        assert!(clones.load(SeqCst) <= 3, "{clones:?}");
    }

    #[with_session]
    #[retry(immediate, max = 5)]
    async fn inner(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        runs.fetch_add(1, SeqCst);
        note(session, 7, "inner").await?;
        Err(transient())
    }

    #[with_session]
    async fn outer_survives(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        note(session, 8, "outer").await?;
        let error = inner(&mut *session, runs).await.unwrap_err();
        assert_eq!(error.category(), Category::Capacity);
        assert!(error.attempts().is_empty());
        Ok(())
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn outer_retries(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
        note(session, 9, "retried").await?;
        inner(&mut *session, runs).await
    }

    /// Trap 15: nested retries multiply.
    #[tokio::test]
    async fn inside_a_callers_session_retry_is_inert() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let runs = AtomicU32::new(0);
        outer_survives(&pool, &runs).await.unwrap();
        assert_eq!(runs.swap(0, SeqCst), 1);
        assert_eq!(place.count("notes").await, 1, "the outer work alone stays");
        outer_retries(&pool, &runs).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 3, "only the outermost starts over");

        let mut session = pool.begin().await.unwrap();
        inner(&mut session, &runs).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 1, "a session begun by hand is a caller's too");
        session.rollback().await.unwrap();
        assert_eq!(place.count("notes").await, 1);
    }

    #[derive(Debug, thiserror::Error, SessionError)]
    enum Derived {
        #[error("the domain says no")]
        No,
        #[session]
        #[error("wrapped")]
        Db(Error),
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent(#[from] Error);

    type Boxed = Box<dyn std::error::Error + Send + Sync>;

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn derived(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Derived> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(Derived::No) } else { Err(transient().into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_anyhow(session: &mut Session, domain: bool, runs: &AtomicU32) -> anyhow::Result<()> {
        use anyhow::Context as _;
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await.context("the query")?;
        if domain { anyhow::bail!("the domain says no") }
        Err(transient()).context("one").context("two")
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_box(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Boxed> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err("the domain says no".into()) } else { Err(transient().into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn wrapped_in_box(session: &mut Session, domain: bool, runs: &AtomicU32) -> Result<(), Boxed> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(Derived::No.into()) } else { Err(Transparent(transient()).into()) }
    }

    #[with_session]
    #[retry(immediate, max = 3)]
    async fn in_sqlx(session: &mut Session, domain: bool, runs: &AtomicU32) -> sqlx::Result<()> {
        runs.fetch_add(1, SeqCst);
        sqlx::query("SELECT 1").execute(&mut *session).await?;
        if domain { Err(sqlx::Error::RowNotFound) } else { Err(sqlx::Error::PoolTimedOut) }
    }

    /// Trap 12: wrapping an error hides that it is retryable.
    /// Trap 14: everything is retried.
    #[tokio::test]
    async fn a_wrapped_error_stays_retryable_and_a_domain_error_is_none() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        macro_rules! runs {
            ($function:ident) => {{
                let runs = AtomicU32::new(0);
                let error = $function(&pool, false, &runs).await.unwrap_err();
                assert_eq!(Classify::category(&error), Some(Category::Capacity), stringify!($function));
                let retried = runs.swap(0, SeqCst);
                $function(&pool, true, &runs).await.unwrap_err();
                assert_eq!((retried, runs.load(SeqCst)), (3, 1), stringify!($function));
                error
            }};
        }
        let Derived::Db(error) = runs!(derived) else { panic!("a database error") };
        assert_eq!(error.attempts().len(), 3);
        let error = runs!(in_anyhow);
        assert_eq!(error.downcast_ref::<Error>().unwrap().attempts().len(), 3);
        let error = runs!(in_box);
        assert_eq!(error.downcast_ref::<Error>().unwrap().attempts().len(), 3);
        runs!(wrapped_in_box);
        let error = runs!(in_sqlx);
        assert!(matches!(error, sqlx::Error::PoolTimedOut), "the variant is kept: {error:?}");
    }

    #[retry(fixed, base = "1ms", max = 4)]
    async fn alone(runs: &AtomicU32, failures: u32, error: fn() -> sqlx::Error) -> sqlx::Result<u32> {
        let run = runs.fetch_add(1, SeqCst) + 1;
        if run <= failures { Err(error()) } else { Ok(run) }
    }

    #[tokio::test]
    async fn retry_works_on_a_function_without_a_session() {
        let runs = AtomicU32::new(0);
        assert_eq!(alone(&runs, 2, || sqlx::Error::PoolTimedOut).await.unwrap(), 3);
        runs.store(0, SeqCst);
        alone(&runs, 9, || sqlx::Error::PoolTimedOut).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 4);
        alone(&runs, 9, || sqlx::Error::RowNotFound).await.unwrap_err();
        assert_eq!(runs.swap(0, SeqCst), 1, "that will be the same next time");
        // Nobody vouches for what a lost connection has done.
        alone(&runs, 9, || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())).await.unwrap_err();
        assert_eq!(runs.load(SeqCst), 1);
    }
}

/// What only servers can do: lose connections and let two transactions meet in the middle.
mod servers {
    each_server! {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        use steadfast::{retry, with_session, Category, Classify, Error, Integrity, Outcome, RetryPolicy, SessionError};
        use xtask::proxy::{Fault, Proxy};

        /// Asks for what the attribute's own words refuse to ask for.
        const EAGER: RetryPolicy = RetryPolicy::immediate()
            .max(3)
            .also(Category::Connection)
            .also(Category::CommitUnknown)
            .also(Category::Integrity(Integrity::Unique));

        #[derive(Debug, thiserror::Error, SessionError)]
        enum Derived {
            #[session]
            #[error(transparent)]
            Db(Error),
        }

        async fn insert(session: &mut Session, runs: &AtomicU32) -> Result<(), sqlx::Error> {
            runs.fetch_add(1, SeqCst);
            sqlx::query("INSERT INTO notes VALUES (1, 'in doubt')").execute(&mut *session).await?;
            Ok(())
        }

        #[with_session]
        #[retry(policy = EAGER)]
        async fn plainly(session: &mut Session, runs: &AtomicU32) -> Result<(), Error> {
            Ok(insert(session, runs).await?)
        }

        #[with_session]
        #[retry(policy = EAGER)]
        async fn derived(session: &mut Session, runs: &AtomicU32) -> Result<(), Derived> {
            Ok(insert(session, runs).await?)
        }

        #[with_session]
        #[retry(policy = EAGER)]
        async fn in_anyhow(session: &mut Session, runs: &AtomicU32) -> anyhow::Result<()> {
            Ok(insert(session, runs).await?)
        }

        #[with_session]
        #[retry(policy = EAGER)]
        async fn in_sqlx(session: &mut Session, runs: &AtomicU32) -> sqlx::Result<()> {
            insert(session, runs).await
        }

        /// Calls another one on the pool: what that one committed is not undone with this one.
        #[with_session]
        #[retry(policy = EAGER)]
        async fn beside(session: &mut Session, other: &Pool, runs: &AtomicU32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            sqlx::query("SELECT 1").execute(&mut *session).await?;
            in_anyhow(other, runs).await.map_err(|error| error.context("beside"))?;
            Ok(())
        }

        /// Trap 8: a commit in doubt is treated as transient.
        #[tokio::test]
        async fn an_unknown_outcome_is_never_retried() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::connect(proxy.url()).await.unwrap();
            let direct = place.pool(1).await;
            let runs = AtomicU32::new(0);
            macro_rules! in_doubt {
                ($call:expr) => {{
                    proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
                    let (result, ()) = tokio::join!($call, async {
                        eventually("the server has committed", || async { place.count("notes").await == 1 }).await;
                        assert!(proxy.cut() > 0);
                    });
                    let error = result.unwrap_err();
                    assert_eq!(Classify::outcome(&error), Some(Outcome::Unknown), "{error:?}");
                    assert_eq!(Classify::category(&error), Some(Category::CommitUnknown), "{error:?}");
                    assert_eq!(runs.swap(0, SeqCst), 1, "{}", stringify!($call));
                    sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
                }};
            }
            in_doubt!(async { plainly(&pool, &runs).await });
            in_doubt!(async { derived(&pool, &runs).await });
            in_doubt!(async { in_anyhow(&pool, &runs).await });
            in_doubt!(async { in_sqlx(&pool, &runs).await });
            in_doubt!(async { beside(&direct, &pool, &runs).await });
        }

        #[with_session]
        #[retry]
        async fn cut_in_the_body(session: &mut Session, proxy: &Proxy) -> Result<u32, Error> {
            sqlx::query("INSERT INTO notes VALUES (1, 'once')").execute(&mut *session).await?;
            if session.attempt() == 1 {
                assert!(proxy.cut() > 0);
            }
            sqlx::query("INSERT INTO notes VALUES (2, 'twice')").execute(&mut *session).await?;
            Ok(session.attempt())
        }

        #[tokio::test]
        async fn a_connection_lost_before_commit_is_retried() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::connect(proxy.url()).await.unwrap();
            assert_eq!(cut_in_the_body(&pool, &proxy).await.unwrap(), 2);
            assert_eq!(place.count("notes").await, 2);
            assert_eq!(stats(concat!(module_path!(), "::cut_in_the_body")).retried_after(Category::Connection), 1);
        }

        #[retry(immediate, max = 3)]
        async fn lone_statement(pool: &Pool, runs: &AtomicU32) -> Result<(), Error> {
            runs.fetch_add(1, SeqCst);
            sqlx::query("INSERT INTO notes VALUES (1, 'alone')").execute(pool).await?;
            Ok(())
        }

        /// Trap 11: the driver sends a statement again by itself.
        #[tokio::test]
        async fn a_statement_on_the_pool_that_may_have_run_is_not_retried() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::connect(proxy.url()).await.unwrap();
            proxy.on(|sent| sent.runs("alone"), Fault::CutAnswer);
            let runs = AtomicU32::new(0);
            let error = lone_statement(&pool, &runs).await.unwrap_err();
            assert_eq!((proxy.fired(), runs.load(SeqCst)), (1, 1));
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown));
            eventually("the statement has run", || async { place.count("notes").await == 1 }).await;
        }

        #[with_session]
        #[retry(max = 2, jitter = none)]
        async fn without_waiting_for_locks(session: &mut Session, holder: &std::sync::Mutex<Option<sqlx::Transaction<'static, Db>>>) -> Result<u32, Error> {
            let locked = sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE NOWAIT").execute(&mut *session).await;
            if session.attempt() == 1 {
                let holder = holder.lock().unwrap().take();
                holder.unwrap().rollback().await?;
            }
            locked?;
            Ok(session.attempt())
        }

        #[tokio::test]
        async fn a_lock_that_was_not_granted_is_retried() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let mut holder = place.plain.begin().await.unwrap();
            sqlx::query("SELECT id FROM accounts WHERE id = 1 FOR UPDATE").execute(&mut *holder).await.unwrap();
            let holder = std::sync::Mutex::new(Some(holder));
            assert_eq!(without_waiting_for_locks(&pool, &holder).await.unwrap(), 2);
            let stats = stats(concat!(module_path!(), "::without_waiting_for_locks"));
            assert_eq!(stats.retried_after(Category::LockTimeout), 1);
        }

        /// How each server is made to see that the session, and not its opponent, is the one to give up.
        fn deadlock_url(place: &Place) -> String {
            match NAME {
                "postgres" => format!("{}&options[deadlock_timeout]=20ms", place.url),
                _ => place.url.clone(),
            }
        }

        #[with_session]
        #[retry(max = 3)]
        async fn in_a_deadlock(session: &mut Session, plain: &Plain, opponent: &std::sync::Mutex<Option<tokio::task::JoinHandle<()>>>) -> Result<u32, Error> {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
            if session.attempt() == 1 {
                let mut other = plain.begin().await?;
                if NAME == "postgres" {
                    sqlx::query("SET LOCAL deadlock_timeout = '1min'").execute(&mut *other).await?;
                }
                // InnoDB gives up the transaction that has changed less.
                sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id > 1").execute(&mut *other).await?;
                let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *other).await?;
                *opponent.lock().unwrap() = Some(tokio::spawn(async move {
                    sqlx::query("UPDATE accounts SET cents = cents + 10 WHERE id = 1").execute(&mut *other).await.unwrap();
                    other.commit().await.unwrap();
                }));
                is_blocked(plain, id).await;
            }
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 2").execute(&mut *session).await?;
            Ok(session.attempt())
        }

        #[tokio::test]
        async fn a_deadlock_is_retried() {
            let place = Place::new().await;
            let pool = Pool::connect(deadlock_url(&place)).await.unwrap();
            let opponent = std::sync::Mutex::new(None);
            let attempts = in_a_deadlock(&pool, &place.plain, &opponent).await.unwrap();
            let opponent = opponent.lock().unwrap().take().unwrap();
            opponent.await.unwrap();
            assert_eq!(attempts, 2, "the first one was the victim");
            assert_eq!((place.cents(1).await, place.cents(2).await), (1011, 1011));
            let stats = stats(concat!(module_path!(), "::in_a_deadlock"));
            assert_eq!(stats.retried_after(Category::Conflict), 1);
        }

        /// The server that is killed and started again.
        type Server = std::sync::Arc<private::Server<Db>>;

        #[with_session]
        #[retry(max = 10)]
        async fn through_a_restart(session: &mut Session, server: Server) -> Result<u32, Error> {
            sqlx::query("INSERT INTO things VALUES (1)").execute(&mut *session).await?;
            if session.attempt() == 1 {
                tokio::task::spawn_blocking(move || {
                    server.kill().unwrap();
                    server.restart().unwrap();
                }).await.unwrap();
            }
            sqlx::query("INSERT INTO things VALUES (2)").execute(&mut *session).await?;
            Ok(session.attempt())
        }

        #[tokio::test]
        async fn a_call_outlives_its_server() {
            let server = std::sync::Arc::new(private::start::<Db>().await);
            let pool = Pool::connect(server.url()).await.unwrap();
            sqlx::raw_sql("CREATE TABLE things (id BIGINT PRIMARY KEY)").execute(&pool).await.unwrap();
            let attempts = through_a_restart(&pool, server.clone()).await.unwrap();
            assert!(attempts > 1, "the first attempt lost its server");
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(&pool).await.unwrap();
            assert_eq!(count, 2);
            let stats = stats(concat!(module_path!(), "::through_a_restart"));
            assert_eq!((stats.committed, stats.unknown), (1, 0));
            assert!(stats.retried_after(Category::Connection) >= 1);
        }
    }
}

/// Serialization failures are PostgreSQL's: the others lock.
mod serialization {
    use crate::support::{postgres::*, *};
    use std::sync::Mutex;
    use steadfast::{Category, Error, Outcome, Phase, retry, with_session};

    type Opponent = Mutex<Option<sqlx::Transaction<'static, Db>>>;

    #[with_session(isolation = repeatable_read)]
    #[retry]
    async fn at_a_statement(session: &mut Session, plain: &Plain) -> Result<i64, Error> {
        let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
            .fetch_one(&mut *session)
            .await?;
        if session.attempt() == 1 {
            sqlx::query("UPDATE accounts SET cents = 5 WHERE id = 1")
                .execute(plain)
                .await?;
        }
        sqlx::query("UPDATE accounts SET cents = $1 + 1 WHERE id = 1")
            .bind(cents)
            .execute(&mut *session)
            .await?;
        Ok(cents)
    }

    #[tokio::test]
    async fn at_a_statement_is_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(
            at_a_statement(&pool, &place.plain).await.unwrap(),
            5,
            "the second attempt saw the other's work"
        );
        assert_eq!(place.cents(1).await, 6);
        assert_eq!(
            stats("serialization::at_a_statement").retried_after(Category::Conflict),
            1
        );
    }

    /// Both read both rows, each writes one: only one of them may commit.
    async fn skew(session: &mut Session, plain: &Plain, opponent: &Opponent) -> Result<(), Error> {
        const SUM: &str = "SELECT sum(cents)::bigint FROM accounts WHERE id IN (1, 2)";
        let sum: i64 = sqlx::query_scalar(SUM).fetch_one(&mut *session).await?;
        if session.attempt() == 1 {
            let mut other = plain
                .begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
                .await?;
            sqlx::query_scalar::<_, i64>(SUM)
                .fetch_one(&mut *other)
                .await?;
            sqlx::query("UPDATE accounts SET cents = 0 WHERE id = 2")
                .execute(&mut *other)
                .await?;
            *opponent.lock().unwrap() = Some(other);
        }
        sqlx::query("UPDATE accounts SET cents = $1 WHERE id = 1")
            .bind(sum)
            .execute(&mut *session)
            .await?;
        let other = opponent.lock().unwrap().take();
        if let Some(other) = other {
            other.commit().await?;
        }
        Ok(())
    }

    #[with_session(isolation = serializable)]
    #[retry]
    async fn at_commit(
        session: &mut Session,
        plain: &Plain,
        opponent: &Opponent,
    ) -> Result<(), Error> {
        skew(session, plain, opponent).await
    }

    #[with_session(isolation = serializable)]
    async fn at_commit_once(
        session: &mut Session,
        plain: &Plain,
        opponent: &Opponent,
    ) -> Result<(), Error> {
        skew(session, plain, opponent).await
    }

    #[tokio::test]
    async fn at_commit_is_retried() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = at_commit_once(&pool, &place.plain, &Opponent::default())
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.phase(), error.outcome()),
            (Some("40001"), Phase::Commit, Outcome::RolledBack)
        );
        assert_eq!(
            (error.category(), error.is_retryable()),
            (Category::Conflict, true)
        );
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 0));

        at_commit(&pool, &place.plain, &Opponent::default())
            .await
            .unwrap();
        assert_eq!(
            place.cents(1).await,
            1000,
            "the sum as the second attempt saw it"
        );
        let stats = stats("serialization::at_commit");
        assert_eq!(
            (stats.retried_after(Category::Conflict), stats.committed),
            (1, 1)
        );
    }
}

/// With a rollback journal a reader can meet a writer; in WAL it never does.
mod sqlite_busy {
    use crate::support::{sqlite::*, *};
    use sqlx::Connection as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
    use std::time::Duration;
    use steadfast::{Category, Error, retry, with_session};
    use tokio::sync::Mutex;

    #[with_session(read_only)]
    #[retry(fixed, base = "1ms", max = 3)]
    async fn read(
        session: &mut Session,
        holder: &Mutex<SqliteConnection>,
    ) -> Result<(u32, i64), Error> {
        let cents = sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1")
            .fetch_one(&mut *session)
            .await;
        if session.attempt() == 2 {
            sqlx::raw_sql("COMMIT")
                .execute(&mut *holder.lock().await)
                .await?;
        }
        Ok((session.attempt(), cents?))
    }

    #[tokio::test]
    async fn at_a_statement_is_retried() {
        let place = Place::new().await;
        place.plain.close().await;
        let options: SqliteConnectOptions = place.url.parse().unwrap();
        let options = options
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(Duration::from_secs(5));
        let mut holder = SqliteConnection::connect_with(&options).await.unwrap();
        let pool = Pool::builder()
            .primary_with(options)
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE; UPDATE accounts SET cents = 7 WHERE id = 1")
            .execute(&mut holder)
            .await
            .unwrap();
        let (attempt, cents) = read(&pool, &Mutex::new(holder)).await.unwrap();
        assert_eq!((attempt, cents), (3, 7));
        assert_eq!(
            stats("sqlite_busy::read").retried_after(Category::Conflict),
            2
        );
    }
}
