//! What the server itself says of its limits.

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
