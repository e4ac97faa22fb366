//! `nested = never`, and the other mismatches with `autocommit`: refused before anything is sent.

use steadfast::__private::{Isolation, Nested, Operation, Options};

static NEVER: Operation =
    Operation::new("never::never").options(Options::new().nested(Nested::Never));
static PLAIN: Operation = Operation::new("never::plain");
static JOIN: Operation = Operation::new("never::join").options(Options::new().nested(Nested::Join));
static READS: Operation = Operation::new("never::reads").options(Options::new().read_only());
static STRICT: Operation =
    Operation::new("never::strict").options(Options::new().isolation(Isolation::Serializable));
static REPEATABLE: Operation = Operation::new("never::repeatable")
    .options(Options::new().isolation(Isolation::RepeatableRead));
static ALONE: Operation = Operation::new("never::alone").options(Options::new().autocommit());

const OPERATIONS: [&Operation; 7] = [&PLAIN, &JOIN, &READS, &STRICT, &REPEATABLE, &ALONE, &NEVER];

/// Which of them may be called in which; of the isolation levels SQLite has one, and is never asked for another.
fn fits(inner: &'static Operation, outer: &'static Operation, is_sqlite: bool) -> bool {
    let is = |one: &'static Operation, other: &'static Operation| std::ptr::eq(one, other);
    let access = |operation: &'static Operation| match operation.name() {
        "never::reads" => 'r',
        "never::alone" => 'a',
        _ => 'w',
    };
    if is(inner, &NEVER) || access(inner) != access(outer) {
        return false;
    }
    if is(inner, &STRICT) {
        return is(outer, &STRICT) || (is_sqlite && !is(outer, &REPEATABLE));
    }
    if is(inner, &REPEATABLE) {
        return is(outer, &STRICT) || is(outer, &REPEATABLE) || is_sqlite;
    }
    true
}

each_database! {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use steadfast::{Category, Error, Outcome, Phase};

    /// Every one in every other, ahead of the first statement: what is refused has sent nothing and taken no
    /// connection. Trap 7: an inner function's isolation or `read_only` is ignored silently.
    #[tokio::test]
    async fn a_call_that_does_not_fit_sends_nothing() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        let (mut fitting, mut refused) = (0, 0);
        for outer in OPERATIONS {
            for inner in OPERATIONS {
                let runs = AtomicU32::new(0);
                let before = pool.stats();
                let ended = managed(outer, &pool, async |session: &mut Session| {
                    managed(inner, &mut *session, async |_: &mut Session| {
                        runs.fetch_add(1, Ordering::SeqCst);
                        Ok::<_, Error>(())
                    })
                    .await
                })
                .await;
                let what = format!("{NAME}: {} in {}: {ended:?}", inner.name(), outer.name());
                if fits(inner, outer, NAME == "sqlite") {
                    assert!(ended.is_ok() && runs.into_inner() == 1, "{what}");
                    fitting += 1;
                    continue;
                }
                let error = ended.unwrap_err();
                assert_eq!((error.category(), error.phase()), (Category::Programming, Phase::Begin), "{what}");
                assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotSent, false), "{what}");
                assert_eq!(runs.into_inner(), 0, "the body has not run: {what}");
                assert_eq!(error.operation(), Some(inner.name()), "{what}");
                assert_eq!(pool.stats().opened, before.opened, "{what}");
                refused += 1;
            }
        }
        println!("{NAME}: {fitting} pairs fit, {refused} are refused");
        assert!(fitting > 10 && refused > 20);
        assert_eq!(pool.stats().opened, 0, "nothing was ever sent");
    }

    /// The caller's session goes on as if nobody had asked.
    #[tokio::test]
    async fn the_callers_session_stays_well() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        managed(&PLAIN, &pool, async |session: &mut Session| {
            for id in [1_i64, 2] {
                let insert = sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)")).bind(id).bind(id.to_string());
                insert.execute(&mut *session).await?;
                for inner in [&NEVER, &READS, &ALONE] {
                    managed(inner, &mut *session, async |_: &mut Session| Ok::<_, Error>(())).await.unwrap_err();
                }
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_eq!(place.count("notes").await, 2);
        assert_quiet(&pool);
    }

    #[tokio::test]
    async fn never_works_on_a_pool() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        managed(&NEVER, &pool, async |session: &mut Session| {
            sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'one')").execute(&mut *session).await?;
            // It may call others.
            managed(&PLAIN, &mut *session, async |session: &mut Session| {
                sqlx::query("INSERT INTO notes (id, body) VALUES (2, 'two')").execute(&mut *session).await?;
                Ok::<_, Error>(())
            })
            .await
        })
        .await
        .unwrap();
        assert_eq!(place.count("notes").await, 2);
    }
}
