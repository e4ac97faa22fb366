//! `statement_timeout` and `lock_timeout`: what the user is told, and that they end with their session.

use std::time::Duration;

use steadfast::__private::{Operation, Options};

static IMPATIENT: Operation =
    Operation::new("limits::impatient").options(Options::new().statement_timeout(400));
static IMPATIENT_READER: Operation = Operation::new("limits::impatient_reader")
    .options(Options::new().statement_timeout(400).read_only());
static IMPATIENT_ALONE: Operation = Operation::new("limits::impatient_alone")
    .options(Options::new().statement_timeout(400).autocommit());
static UNLIMITED: Operation = Operation::new("limits::unlimited").options(Options::new());
static UNLIMITED_ALONE: Operation =
    Operation::new("limits::unlimited_alone").options(Options::new().autocommit());
static NO_WAITER: Operation =
    Operation::new("limits::no_waiter").options(Options::new().lock_timeout(200));
static NO_WAITER_ALONE: Operation = Operation::new("limits::no_waiter_alone")
    .options(Options::new().lock_timeout(200).autocommit());

/// Far above the limits of 400 and 200 ms, on a busy machine too, and far below the 30 s that a slow statement takes.
const SOON: Duration = Duration::from_secs(8);

each_database! {
    use super::*;
    use futures_util::StreamExt as _;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Instant;
    use steadfast::{Category, Error, Outcome};

    const CODE: &str = match NAME.as_bytes() {
        b"postgres" => "57014",
        b"mysql" => "1969",
        _ => "9",
    };

    /// Takes some 40 ms, less than the limit allows.
    fn short() -> sqlx::AssertSqlSafe<String> {
        sqlx::AssertSqlSafe(match NAME {
            "postgres" => "SELECT 1 FROM pg_sleep(0.04)".to_owned(),
            "mysql" => "SELECT SLEEP(0.04)".to_owned(),
            _ => SLOW.replace("400000000", "20000"),
        })
    }

    /// Takes longer than the limit allows.
    async fn long(executor: impl sqlx::Executor<'_, Database = Db>) -> sqlx::Result<()> {
        let rows = LONG.load(Ordering::Relaxed);
        let long = match NAME {
            "postgres" => "SELECT 1 FROM pg_sleep(0.5)".to_owned(),
            "mysql" => "SELECT SLEEP(0.5)".to_owned(),
            _ => SLOW.replace("400000000", &rows.to_string()),
        };
        let began = Instant::now();
        sqlx::query(sqlx::AssertSqlSafe(long)).execute(executor).await?;
        if began.elapsed() < Duration::from_millis(450) {
            // A fast machine: more from here on.
            LONG.store(rows * 2, Ordering::Relaxed);
        }
        LONGEST.fetch_max(began.elapsed().as_millis() as u64, Ordering::Relaxed);
        Ok(())
    }

    static LONG: AtomicU64 = AtomicU64::new(500_000);
    static LONGEST: AtomicU64 = AtomicU64::new(0);

    async fn insert(executor: impl sqlx::Executor<'_, Database = Db>, id: i64) -> sqlx::Result<()> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)")).bind(id).bind(id.to_string()).execute(executor).await?;
        Ok(())
    }

    #[track_caller]
    fn is_timeout(error: &Error) {
        assert_eq!((error.category(), error.code()), (Category::Timeout, Some(CODE)), "{error:?}");
        assert!(!error.is_retryable());
    }

    /// Nothing of a limit is left: neither for a session, nor for a statement on the pool.
    async fn is_unlimited(pool: &Pool) {
        LONGEST.store(0, Ordering::Relaxed);
        while LONGEST.load(Ordering::Relaxed) < 450 {
            long(pool).await.unwrap();
        }
        for operation in [&UNLIMITED, &UNLIMITED_ALONE] {
            managed(operation, pool, async |session: &mut Session| Ok::<_, Error>(long(&mut *session).await?)).await.unwrap();
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Door {
        Execute,
        FetchOptional,
        Stream,
        InASavepoint,
        InANestedCall,
    }

    async fn too_slow(session: &mut Session, door: Door) -> Result<(), Error> {
        match door {
            Door::Execute => {
                sqlx::query(SLOW).execute(&mut *session).await?;
            }
            Door::FetchOptional => {
                sqlx::query(SLOW).fetch_optional(&mut *session).await?;
            }
            Door::Stream => {
                let mut rows = sqlx::query(SLOW).fetch(&mut *session);
                while let Some(row) = rows.next().await {
                    row?;
                }
            }
            Door::InASavepoint => session.savepoint(async |session| Box::pin(too_slow(session, Door::Execute)).await).await?,
            Door::InANestedCall => {
                managed(&UNLIMITED, &mut *session, async |session: &mut Session| Box::pin(too_slow(session, Door::Execute)).await).await?;
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_statement_that_takes_too_long_is_stopped() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for door in [Door::Execute, Door::FetchOptional, Door::Stream, Door::InASavepoint, Door::InANestedCall] {
            let began = Instant::now();
            let error = managed(&IMPATIENT, &pool, async |session: &mut Session| {
                insert(&mut *session, 1).await?;
                // The limit is each statement's own.
                for _ in 0..6 {
                    sqlx::query(short()).execute(&mut *session).await?;
                }
                too_slow(session, door).await
            })
            .await
            .unwrap_err();
            is_timeout(&error);
            assert_eq!(error.outcome(), Outcome::RolledBack, "{error:?}");
            assert!(began.elapsed() < SOON, "{door:?}: {:?}", began.elapsed());
            assert_quiet(&pool);
            assert_eq!(place.count("notes").await, 0);
        }
        is_unlimited(&pool).await;
    }

    /// As any error: on PostgreSQL it dooms, elsewhere a statement that only read has changed nothing.
    #[tokio::test]
    async fn a_swallowed_timeout() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let result = managed(&IMPATIENT, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            let error = too_slow(session, Door::Execute).await.unwrap_err();
            is_timeout(&error);
            let next = insert(&mut *session, 2).await.map_err(Error::from);
            assert_eq!(next.is_err(), ERROR_DOOMS);
            if let Err(error) = next {
                assert_eq!(error.category(), Category::Timeout, "{error}");
            }
            Ok::<_, Error>(())
        })
        .await;
        assert_eq!(result.is_err(), ERROR_DOOMS);
        if let Err(error) = result {
            assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        }
        assert_eq!(place.count("notes").await, if ERROR_DOOMS { 0 } else { 2 });
        is_unlimited(&pool).await;
    }

    #[tokio::test]
    async fn a_reader_and_a_session_in_autocommit() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for operation in [&IMPATIENT_READER, &IMPATIENT_ALONE] {
            let began = Instant::now();
            let error = managed(operation, &pool, async |session: &mut Session| {
                for _ in 0..6 {
                    sqlx::query(short()).execute(&mut *session).await?;
                }
                too_slow(session, Door::Execute).await
            })
            .await
            .unwrap_err();
            is_timeout(&error);
            assert!(began.elapsed() < SOON);
            assert_quiet(&pool);
            is_unlimited(&pool).await;
        }
    }

    /// Stopped while it writes.
    #[tokio::test]
    async fn a_write_that_takes_too_long() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE tree (id BIGINT PRIMARY KEY)").execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let mut after = None;
        let result = managed(&IMPATIENT, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            sqlx::query(sql(SLOW_INSERT)).bind(1_i64).execute(&mut *session).await?;
            Ok::<_, Error>(())
        })
        .await;
        is_timeout(&result.unwrap_err());
        let result = {
            let after = std::sync::Mutex::new(&mut after);
            managed(&IMPATIENT, &pool, async |session: &mut Session| {
                insert(&mut *session, 1).await?;
                sqlx::query(sql(SLOW_INSERT)).bind(1_i64).execute(&mut *session).await.unwrap_err();
                let next = insert(&mut *session, 2).await;
                **after.lock().unwrap() = Some(next.is_ok());
                Ok::<_, Error>(())
            })
            .await
        };
        // SQLite rolls the whole transaction back when a write is stopped.
        let goes_on = NAME == "mysql";
        assert_eq!((after, result.is_ok()), (Some(goes_on), goes_on), "{result:?}");
        if let Err(error) = result {
            assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error:?}");
        }
        assert_eq!((place.count("notes").await, place.count("tree").await), (if goes_on { 2 } else { 0 }, 0));
        is_unlimited(&pool).await;
    }

    /// A limit that passes while the consumer of a stream is slow, and a statement that was dropped, stop nobody
    /// else's.
    #[tokio::test]
    async fn a_limit_is_over_with_its_statement() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for round in 0..3 {
            managed(&IMPATIENT, &pool, async |session: &mut Session| {
                for _ in 0..3 {
                    drop(drop_at_poll(sqlx::query("SELECT id FROM accounts").fetch_all(&mut *session), round + 1).await);
                    let level = session.savepoint(async |session| {
                        sqlx::query(short()).execute(&mut *session).await?;
                        Ok::<_, Error>(())
                    });
                    if let Err(error) = level.await {
                        assert_eq!(error.category(), Category::Cancelled, "doomed by the drop, not by a limit: {error}");
                    }
                }
                tokio::time::sleep(Duration::from_millis(450)).await;
                let ended = sqlx::query("SELECT 1").execute(&mut *session).await.map_err(Error::from);
                assert!(ended.map_or_else(|error| error.category() == Category::Cancelled, |_| true));
                Ok::<_, Error>(())
            })
            .await
            .map_or_else(|error| assert_eq!(error.category(), Category::Cancelled, "{error}"), |()| ());
        }
        is_unlimited(&pool).await;
    }
}

/// Whose wait for a lock is limited.
mod locks {
    use super::*;

    each_database! {
        use super::*;
        use std::time::Instant;
        use steadfast::{Category, Error, Outcome};

        async fn take(executor: impl sqlx::Executor<'_, Database = Db>) -> sqlx::Result<()> {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2")).bind(1_i64).bind(1_i64).execute(executor).await?;
            Ok(())
        }

        #[track_caller]
        fn refused(error: &Error, waited: Duration) {
            let (category, code) = match NAME {
                "postgres" => (Category::LockTimeout, "55P03"),
                "mysql" => (Category::LockTimeout, "1205"),
                // Another process writes, and has for as long as we may wait.
                _ => (Category::Conflict, "5"),
            };
            assert_eq!((error.category(), error.code()), (category, Some(code)), "{error:?}");
            assert!(error.is_retryable());
            // MySQL counts whole seconds.
            let least = if NAME == "mysql" { Duration::from_millis(900) } else { Duration::from_millis(180) };
            assert!(waited >= least && waited < Duration::from_millis(4500), "{waited:?}");
        }

        #[tokio::test]
        async fn a_lock_that_is_not_granted() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            for operation in [&NO_WAITER, &NO_WAITER_ALONE] {
                let mut other = place.plain.begin().await.unwrap();
                take(&mut *other).await.unwrap();
                let began = Instant::now();
                let error = managed(operation, &pool, async |session: &mut Session| {
                    take(&mut *session).await?;
                    Ok::<_, Error>(())
                })
                .await
                .unwrap_err();
                refused(&error, began.elapsed());
                assert!(matches!(error.outcome(), Outcome::RolledBack | Outcome::NotSent), "{error:?}");
                assert_quiet(&pool);
                // The next one waits for longer, and gets it.
                let (next, ()) = tokio::join!(
                    managed(&UNLIMITED, &pool, async |session: &mut Session| {
                        take(&mut *session).await?;
                        Ok::<_, Error>(())
                    }),
                    async {
                        tokio::time::sleep(Duration::from_millis(1500)).await;
                        other.commit().await.unwrap();
                    }
                );
                next.unwrap();
                let mut other = place.plain.begin().await.unwrap();
                take(&mut *other).await.unwrap();
                let (next, ()) = tokio::join!(take(&pool), async {
                    tokio::time::sleep(Duration::from_millis(1500)).await;
                    other.commit().await.unwrap();
                });
                next.unwrap();
            }
            assert_eq!(pool.stats().opened, 1);
        }
    }
}

/// What the server itself says of its limits.
mod settings {
    use steadfast::__private::{Operation, Options};

    static TX: Operation = Operation::new("settings::tx")
        .options(Options::new().statement_timeout(7000).lock_timeout(3000));
    static ALONE: Operation = Operation::new("settings::alone").options(
        Options::new()
            .statement_timeout(8000)
            .lock_timeout(4000)
            .autocommit(),
    );
    static DEADLINE: Operation =
        Operation::new("settings::deadline").options(Options::new().timeout(60_000));
    static BOTH: Operation = Operation::new("settings::both")
        .options(Options::new().timeout(60_000).statement_timeout(120_000));
    static PLAIN: Operation = Operation::new("settings::plain").options(Options::new());
    static PLAIN_ALONE: Operation =
        Operation::new("settings::plain_alone").options(Options::new().autocommit());

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Call(&'static Operation, (Want, u64)),
        Lend(&'static Operation),
        OnThePool,
    }

    /// Milliseconds.
    #[derive(Clone, Copy, Debug)]
    enum Want {
        Exactly(u64),
        /// What the connection came with, or less where it has less than that left.
        NoMoreThan(u64),
        Standing,
    }

    each_server! {
        use super::*;
        use steadfast::Error;

        const LIMITS: &str = if NAME.as_bytes()[0] == b'p' {
            "SELECT (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'), \
             (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout')"
        } else {
            "SELECT CAST(@@max_statement_time * 1000 AS SIGNED), CAST(@@innodb_lock_wait_timeout * 1000 AS SIGNED)"
        };

        async fn limits(executor: impl sqlx::Executor<'_, Database = Db>) -> Result<(i64, i64), Error> {
            Ok(sqlx::query_as(LIMITS).fetch_one(executor).await?)
        }

        fn is_wanted(want: Want, standing: i64, is: i64) -> bool {
            match want {
                Want::Exactly(ms) => is == ms as i64,
                Want::NoMoreThan(ms) if standing == 0 || standing > ms as i64 => is > 0 && is <= ms as i64,
                Want::NoMoreThan(_) | Want::Standing => is == standing,
            }
        }

        /// Any course of sessions, committed and rolled back: each has its own limits and no one else's.
        async fn any_course(pool: &Pool, standing: (i64, i64), seed: u64) {
            let mut random = fastrand::Rng::with_seed(seed);
            let steps = [
                Step::Call(&TX, (Want::Exactly(7000), 3000)),
                Step::Call(&ALONE, (Want::Exactly(8000), 4000)),
                Step::Call(&DEADLINE, (Want::NoMoreThan(60_000), 0)),
                Step::Call(&BOTH, (Want::NoMoreThan(60_000), 0)),
                Step::Call(&PLAIN, (Want::Standing, 0)),
                Step::Call(&PLAIN_ALONE, (Want::Standing, 0)),
                Step::Lend(&PLAIN),
                Step::Lend(&TX),
                Step::Lend(&PLAIN_ALONE),
                Step::OnThePool,
            ];
            let mut course = Vec::new();
            for _ in 0..60 {
                let step = steps[random.usize(0..steps.len())];
                let fails = random.bool();
                course.push((step, fails));
                match step {
                    Step::OnThePool => {
                        let is = limits(pool).await.unwrap();
                        assert_eq!(is, standing, "{NAME}: on the pool, seed {seed}: {course:?}");
                    }
                    Step::Call(operation, (statement, lock)) => {
                        let ended = managed(operation, pool, async |session: &mut Session| {
                            let is = limits(&mut *session).await?;
                            let lock = if lock == 0 { standing.1 } else { lock as i64 };
                            // BOTH asks for more than it has.
                            let base = if std::ptr::eq(operation, &BOTH) { 0 } else { standing.0 };
                            assert!(
                                is_wanted(statement, base, is.0) && is.1 == lock,
                                "{NAME}: {is:?}, seed {seed}: {course:?}"
                            );
                            if fails { Err(sqlx::Error::RowNotFound.into()) } else { Ok::<_, Error>(()) }
                        })
                        .await;
                        assert_eq!(ended.is_err(), fails, "{ended:?}");
                    }
                    Step::Lend(operation) => {
                        let ended = managed(operation, pool, async |session: &mut Session| {
                            let lent = session.raw().await?;
                            let change = if NAME == "postgres" {
                                "SET statement_timeout = 9000; SET lock_timeout = 5000"
                            } else {
                                "SET max_statement_time = 9, innodb_lock_wait_timeout = 5"
                            };
                            sqlx::raw_sql(change).execute(&mut *lent).await?;
                            assert_eq!(limits(lent).await?, (9000, 5000));
                            if fails { Err(sqlx::Error::RowNotFound.into()) } else { Ok::<_, Error>(()) }
                        })
                        .await;
                        assert_eq!(ended.is_err(), fails, "{ended:?}");
                    }
                }
            }
            assert_eq!(pool.stats().opened, 1);
        }

        #[tokio::test]
        async fn each_session_has_its_own() {
            let place = Place::new().await;
            let seed = seed();
            println!("{NAME}: seed {seed}");
            let fresh = limits(&place.plain).await.unwrap();
            any_course(&place.pool(1).await, fresh, seed).await;
        }

        #[tokio::test]
        async fn what_after_connect_has_set_stands() {
            let place = Place::new().await;
            let seed = seed();
            println!("{NAME}: seed {seed}");
            for (statement, lock) in [(20_000, 10_000), (90_000, 2_000)] {
                let pool = place
                    .builder(1)
                    .after_connect(move |connection| {
                        Box::pin(async move {
                            let set = if NAME == "postgres" {
                                format!("SET statement_timeout = {statement}; SET lock_timeout = {lock}")
                            } else {
                                format!("SET max_statement_time = {}, innodb_lock_wait_timeout = {}", statement / 1000, lock / 1000)
                            };
                            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(connection).await?;
                            Ok(())
                        })
                    })
                    .connect()
                    .await
                    .unwrap();
                any_course(&pool, (statement, lock), seed).await;
            }
        }
    }
}

/// A statement of a session's that changes them for those behind it.
mod changed_by_statements {
    each_server! {
        use sqlx::{AssertSqlSafe, Executor as _};
        use steadfast::{Category, Error, with_session};

        #[with_session(statement_timeout = "400ms")]
        async fn is_limited(session: &mut Session) -> Result<(), Error> {
            session.execute(SLOW).await?;
            Ok(())
        }

        #[with_session(statement_timeout = "400ms")]
        async fn sets(session: &mut Session, words: String) -> Result<(), Error> {
            session.execute(AssertSqlSafe(words)).await?;
            Ok(())
        }

        #[tokio::test]
        async fn the_next_session_has_its_own() {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let variable = if NAME == "postgres" { "statement_timeout" } else { "max_statement_time" };
            for words in [format!("SET {variable} = 0"), format!("SELECT 1; set session {variable} = 0")] {
                sets(&pool, words.clone()).await.unwrap();
                let limited = tokio::time::timeout(PATIENCE, is_limited(&pool)).await;
                let error = limited.expect("it has a limit").unwrap_err();
                assert_eq!(error.category(), Category::Timeout, "{words}: {error}");
                // One of a single statement's, too short for anything.
                let short = if NAME == "postgres" { "1" } else { "0.001" };
                pool.execute(AssertSqlSafe(format!("SET {variable} = {short}"))).await.unwrap();
                let mut session = pool.begin().await.unwrap();
                session.execute(if NAME == "postgres" { "SELECT pg_sleep(0.1)" } else { "SELECT SLEEP(0.1)" }).await.unwrap();
                session.commit().await.unwrap();
            }
            assert_eq!(pool.stats().opened, 1);
        }

        #[with_session(statement_timeout = "400ms", autocommit)]
        async fn is_limited_alone(session: &mut Session) -> Result<(), Error> {
            session.execute(SLOW).await?;
            Ok(())
        }

        #[with_session(statement_timeout = "400ms", autocommit)]
        async fn sets_alone(session: &mut Session, words: &str) -> Result<(), Error> {
            session.execute(AssertSqlSafe(words)).await?;
            Ok(())
        }

        #[track_caller]
        fn timed_out(result: Result<Result<(), Error>, tokio::time::error::Elapsed>, words: &str) {
            let error = result.unwrap_or_else(|_| panic!("{words}: it has a limit")).unwrap_err();
            assert_eq!(error.category(), Category::Timeout, "{words}: {error}");
        }

        /// The text of the last does not show it; what travels with BEGIN does not depend on that.
        #[tokio::test]
        async fn also_where_it_is_not_set_that_changes_them() {
            let place = Place::new().await;
            let (made, shown): (&[&str], &[&str]) = if NAME == "postgres" {
                (
                    &[
                        "CREATE PROCEDURE no_limit() LANGUAGE plpgsql AS $$BEGIN SET statement_timeout = 0; END$$",
                        "CREATE FUNCTION hidden() RETURNS int LANGUAGE plpgsql AS \
                            $$BEGIN PERFORM set_config('statement_timeout', '0', false); RETURN 1; END$$",
                    ],
                    &[
                        "SELECT set_config('statement_timeout', '0', false)",
                        "UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'",
                        "DO 'BEGIN SET statement_timeout = 0; END'",
                        "CALL no_limit()",
                        "DISCARD ALL",
                    ],
                )
            } else {
                (
                    &[
                        "CREATE PROCEDURE no_limit() SET SESSION max_statement_time = 0",
                        "CREATE FUNCTION hidden() RETURNS INT BEGIN SET SESSION max_statement_time = 0; RETURN 1; END",
                    ],
                    &["CALL no_limit()", "DO hidden()"],
                )
            };
            for routine in made {
                place.plain.execute(*routine).await.unwrap();
            }
            let pool = place.pool(1).await;
            for words in shown.iter().copied().chain(["SELECT hidden()"]) {
                sets_alone(&pool, words).await.unwrap();
                if words != "SELECT hidden()" {
                    timed_out(tokio::time::timeout(PATIENCE, is_limited_alone(&pool)).await, words);
                    sets_alone(&pool, words).await.unwrap();
                }
                timed_out(tokio::time::timeout(PATIENCE, is_limited(&pool)).await, words);
            }
            assert_eq!(pool.stats().opened, 1);
        }
    }
}
