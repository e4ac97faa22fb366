//! What the user is told of a statement that takes too long, and that its limit is over with it.

use std::time::Duration;

use steadfast::__private::{Operation, Options};

use super::UNLIMITED;

static IMPATIENT: Operation =
    Operation::new("limits::impatient").options(Options::new().statement_timeout(400));
static IMPATIENT_READER: Operation = Operation::new("limits::impatient_reader")
    .options(Options::new().statement_timeout(400).read_only());
static IMPATIENT_ALONE: Operation = Operation::new("limits::impatient_alone")
    .options(Options::new().statement_timeout(400).autocommit());
static UNLIMITED_ALONE: Operation =
    Operation::new("limits::unlimited_alone").options(Options::new().autocommit());

/// What the impatient ones ask for.
const LIMIT: Duration = Duration::from_millis(400);

/// Far above the limits of 400 and 200 ms, on a busy machine too, and far below the 30 s that a slow statement takes.
const SOON: Duration = Duration::from_secs(8);

each_database! {
    use super::*;
    use futures_util::StreamExt as _;
    use std::cell::Cell;
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
        // On a busy machine a statement may be over its own limit, and is stopped rightly.
        let slow = Cell::new(false);
        let is_right = |error: &Error| match error.category() {
            Category::Cancelled => true, // doomed by the drop, not by a limit
            Category::Timeout => slow.get(),
            _ => false,
        };
        for round in 0..3 {
            slow.set(false);
            let ended = managed(&IMPATIENT, &pool, async |session: &mut Session| {
                for _ in 0..3 {
                    drop(drop_at_poll(sqlx::query("SELECT id FROM accounts").fetch_all(&mut *session), round + 1).await);
                    let level = session.savepoint(async |session| {
                        let began = Instant::now();
                        let ended = sqlx::query(short()).execute(&mut *session).await;
                        slow.set(slow.get() || began.elapsed() >= LIMIT);
                        ended.map_err(Error::from)
                    });
                    if let Err(error) = level.await {
                        assert!(is_right(&error), "{error}");
                    }
                }
                tokio::time::sleep(LIMIT + Duration::from_millis(50)).await;
                sqlx::query("SELECT 1").execute(&mut *session).await.map_err(Error::from)
            })
            .await;
            if let Err(error) = ended {
                assert!(is_right(&error), "{error}");
            }
        }
        is_unlimited(&pool).await;
    }
}
