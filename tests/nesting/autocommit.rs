//! `autocommit`: a session without a transaction.

use steadfast::__private::{Operation, Options};
use steadfast::RetryPolicy;

const OPTIONS: Options = Options::new().autocommit();

static ALONE: Operation = Operation::new("autocommit::alone").options(OPTIONS);
static INNER: Operation = Operation::new("autocommit::inner").options(OPTIONS);
static REPEATED: Operation = Operation::new("autocommit::repeated")
    .options(OPTIONS)
    .retry(RetryPolicy::immediate().max(3));
static IDEMPOTENT: Operation = Operation::new("autocommit::idempotent")
    .options(OPTIONS)
    .retry(RetryPolicy::immediate().max(3).idempotent());

each_database! {
    use super::*;
    use sqlx::Connection as _;
    use std::sync::atomic::{AtomicI64, Ordering};
    use steadfast::{Category, Error, Integrity, Outcome};

    async fn insert(executor: impl sqlx::Executor<'_, Database = Db>, id: i64) -> sqlx::Result<()> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)")).bind(id).bind(id.to_string()).execute(executor).await?;
        Ok(())
    }

    // Counted by one test alone.
    static IN_TIME: Operation = Operation::new("autocommit::in_time").options(OPTIONS.timeout(150));
    static DROPPED: Operation = Operation::new("autocommit::dropped").options(OPTIONS);

    async fn is_clean(place: &Place, pool: &Pool) {
        quiet(pool).await;
        assert_eq!((place.open_transactions().await, pool.stats().opened), (0, 1));
        let before = place.count("notes").await;
        insert(pool, 1000 + before).await.unwrap();
        let mut session = pool.begin().await.unwrap();
        insert(&mut session, 2000).await.unwrap();
        session.rollback().await.unwrap();
        assert_eq!(place.count("notes").await, before + 1, "a rollback of the next user rolls back");
    }

    #[tokio::test]
    async fn each_statement_is_committed_by_itself() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        managed(&ALONE, &pool, async |session: &mut Session| {
            for id in 1..=3 {
                insert(&mut *session, id).await?;
                assert_eq!(place.count("notes").await, id, "it is there at once");
                assert_eq!(place.open_transactions().await, 0);
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_quiet(&pool);
        is_clean(&place, &pool).await;
    }

    /// What is done is done, and the error says so.
    #[tokio::test]
    async fn an_err_behind_a_statement() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = managed(&ALONE, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            Err::<(), _>(transient())
        })
        .await
        .unwrap_err();
        assert_eq!((error.category(), error.outcome(), error.is_retryable()), (Category::Capacity, Outcome::Committed, false), "{error}");
        // A statement that fails undoes itself, and nothing else.
        let error = managed(&ALONE, &pool, async |session: &mut Session| {
            insert(&mut *session, 2).await?;
            insert(&mut *session, 2).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Integrity(Integrity::Unique), Outcome::Committed), "{error}");
        // And dooms nothing.
        managed(&ALONE, &pool, async |session: &mut Session| {
            insert(&mut *session, 2).await.unwrap_err();
            insert(&mut *session, 3).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_eq!(place.count("notes").await, 3);
        // Ahead of the first statement nothing was done.
        let error = managed(&ALONE, &pool, async |_: &mut Session| Err::<(), _>(transient())).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        let error = managed(&ALONE, &pool, async |session: &mut Session| Ok::<_, Error>(insert(&mut *session, 1).await?)).await.unwrap_err();
        assert!(matches!(error.outcome(), Outcome::RolledBack | Outcome::NotSent), "{error:?}");
        is_clean(&place, &pool).await;
    }

    /// What a call in it is told is of its own statements.
    #[tokio::test]
    async fn a_part_of_it_is_told_of_its_own_statements() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let part = async |session: &mut Session, ids: &[i64]| {
            let ended = managed(&INNER, session, async |session: &mut Session| {
                for &id in ids {
                    insert(&mut *session, id).await?;
                }
                Err::<(), _>(transient())
            });
            ended.await.unwrap_err().outcome()
        };
        let told = managed(&ALONE, &pool, async |session: &mut Session| {
            // 7 is there, and refused a second time.
            insert(&pool, 7).await?;
            let mut told = Vec::new();
            for ids in [&[][..], &[7], &[1], &[2, 7], &[7], &[]] {
                told.push(part(session, ids).await);
            }
            Ok::<_, Error>(told)
        });
        let told = told.await.unwrap();
        use Outcome::{Committed, NotSent, RolledBack};
        assert_eq!(told, [NotSent, RolledBack, Committed, Committed, RolledBack, NotSent]);
        assert_eq!(place.notes().await, [1, 2, 7]);
    }

    async fn repeat(operation: &'static Operation, pool: &Pool, behind_a_statement: bool) -> (i64, Result<(), Error>) {
        let runs = AtomicI64::new(0);
        let ended = managed(operation, pool, async |session: &mut Session| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            if behind_a_statement {
                sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2")).bind(1_i64).bind(1_i64).execute(&mut *session).await?;
            }
            if run < 2 { Err(transient()) } else { Ok(()) }
        })
        .await;
        (runs.into_inner(), ended)
    }

    /// Trap 25: a retry without a transaction repeats what was done.
    #[tokio::test]
    async fn what_was_committed_is_repeated_only_where_that_is_declared_harmless() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let (runs, ended) = repeat(&REPEATED, &pool, true).await;
        assert_eq!((runs, ended.unwrap_err().outcome()), (1, Outcome::Committed));
        assert_eq!(place.cents(1).await, 1001);
        let (runs, ended) = repeat(&REPEATED, &pool, false).await;
        assert!(runs == 3 && ended.is_ok(), "nothing was done: {runs} {ended:?}");
        let (runs, ended) = repeat(&IDEMPOTENT, &pool, true).await;
        assert!(runs == 3 && ended.is_ok(), "{runs} {ended:?}");
        assert_eq!(place.cents(1).await, 1004);
    }

    #[tokio::test]
    async fn a_statement_that_is_dropped() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let before = IN_TIME.stats();
        let error = managed(&IN_TIME, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
        // The server keeps the limit too, and where it was first it has said that this statement did nothing.
        let is_answered = error.code().is_some();
        let outcome = if is_answered { Outcome::Committed } else { Outcome::Unknown };
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, outcome), "{error:?}");
        assert_eq!(IN_TIME.stats().unknown - before.unknown, u64::from(!is_answered));
        quiet(&pool).await;
        // The one above is over.
        place.runs_slow().await;

        let before = DROPPED.stats();
        let call = managed(&DROPPED, &pool, async |session: &mut Session| {
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok::<_, Error>(())
        });
        drop_when(place.slow_is_running(), call).await;
        quiet(&pool).await;
        assert_eq!(DROPPED.stats().unknown - before.unknown, 1);

        // Between two statements nothing is in doubt.
        let before = DROPPED.stats();
        let call = managed(&DROPPED, &pool, async |session: &mut Session| {
            insert(&mut *session, 2).await?;
            wait_for_ever::<Result<(), Error>>().await
        });
        drop_waiting(call).await;
        quiet(&pool).await;
        assert_eq!(DROPPED.stats().committed - before.committed, 1, "{:?}", DROPPED.stats());
        assert_eq!(place.count("notes").await, 2);
        assert_eq!(place.open_transactions().await, 0);
        insert(&pool, 3).await.unwrap();
        assert_eq!(place.count("notes").await, 3);
    }

    /// The database keeps what came ahead of the failure, and nobody says that it is undone.
    #[tokio::test]
    async fn a_statement_that_fails_half_way() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let again = "INSERT INTO notes VALUES (1, 'one'); INSERT INTO notes VALUES (1, 'again')";
        let halves: &[(&str, &str, i64)] = match NAME {
            "postgres" => &[
                ("CREATE PROCEDURE half() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes VALUES (1, 'one'); COMMIT; RAISE 'no'; END $$", "CALL half()", 1),
                ("INSERT INTO notes VALUES (1, 'one'); CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1)", "CREATE UNIQUE INDEX CONCURRENTLY twice_key ON twice (id)", 1),
            ],
            "mysql" => &[
                ("SELECT 1", again, 1),
                ("INSERT INTO notes VALUES (1, 'one'); CREATE TABLE one (id INT)", "DROP TABLE one, missing", 1),
                ("INSERT INTO notes VALUES (1, 'one'); CREATE TABLE one (id INT)", "SET STATEMENT max_statement_time = 7 FOR DROP TABLE one, missing", 1),
                ("INSERT INTO notes VALUES (1, 'one'); CREATE TABLE one (id INT)", "CREATE OR REPLACE TABLE one (id INT PRIMARY KEY) AS SELECT 1 AS id UNION ALL SELECT 1", 1),
            ],
            _ => &[
                ("SELECT 1", again, 1),
                ("SELECT 1", "INSERT OR FAIL INTO notes VALUES (1, 'one'), (2, 'two'), (1, 'again')", 2),
            ],
        };
        for (first, half, stays) in halves {
            sqlx::raw_sql(sql(first)).execute(&place.plain).await.unwrap();
            let error = managed(&ALONE, &pool, async |session: &mut Session| {
                session.on_rollback(async { assert!(NAME.is_empty(), "nothing is undone") });
                sqlx::raw_sql(sql(half)).execute(&mut *session).await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap_err();
            assert_eq!((error.outcome(), place.count("notes").await), (Outcome::Unknown, *stays), "{half}: {error}");
            sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
            if !half.contains("TABLE one") && *half != "CALL half()" && !half.contains("CONCURRENTLY") {
                let error = Error::from(sqlx::raw_sql(sql(half)).execute(&pool).await.unwrap_err());
                assert_eq!((error.outcome(), place.count("notes").await), (Outcome::Unknown, *stays), "on the pool: {half}: {error}");
                sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
        // A single one that fails has done nothing.
        let error = managed(&ALONE, &pool, async |session: &mut Session| {
            sqlx::raw_sql("INSERT INTO notes VALUES (3, 'three'), (3, 'again')").execute(&mut *session).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
        assert_eq!((error.outcome(), place.count("notes").await), (Outcome::RolledBack, 0), "{error}");
        is_clean(&place, &pool).await;
    }

    /// A dropped statement is stopped, and the session goes on.
    #[tokio::test]
    async fn a_statement_that_is_dropped_inside() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let ended = managed(&ALONE, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            let slow = sqlx::query(SLOW).execute(&mut *session);
            drop_when(place.slow_is_running(), slow).await;
            insert(&mut *session, 2).await?;
            Ok::<_, Error>(())
        })
        .await;
        ended.unwrap();
        assert_eq!(place.count("notes").await, 2);
        is_clean(&place, &pool).await;
    }

    #[tokio::test]
    async fn savepoints_and_control_statements_are_refused() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        managed(&ALONE, &pool, async |session: &mut Session| {
            insert(&mut *session, 1).await?;
            let error: Error = session.savepoint(async |_| Ok::<(), Error>(())).await.unwrap_err();
            assert_eq!(error.category(), Category::Programming);
            assert!(error.to_string().contains("autocommit"), "{error}");
            for words in ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT one"] {
                let error: Error = sqlx::raw_sql(words).execute(&mut *session).await.unwrap_err().into();
                assert_eq!(error.category(), Category::Programming, "{words}: {error}");
            }
            // Another in it is a part of it.
            managed(&INNER, &mut *session, async |session: &mut Session| Ok::<_, Error>(insert(&mut *session, 2).await?)).await?;
            managed(&INNER, &mut *session, async |session: &mut Session| {
                insert(&mut *session, 3).await?;
                Err::<(), Error>(sqlx::Error::RowNotFound.into())
            })
            .await
            .unwrap_err();
            insert(&mut *session, 4).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_eq!(place.count("notes").await, 4);
        is_clean(&place, &pool).await;
    }

    /// A helper's transaction on it is a real one.
    #[tokio::test]
    async fn lent_it_gives_real_transactions() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        // One that has lent as a transaction before has left sqlx counting.
        for counted in [false, true] {
            if counted {
                let mut session = pool.begin().await.unwrap();
                session.raw().await.unwrap();
                session.commit().await.unwrap();
            }
            managed(&ALONE, &pool, async |session: &mut Session| {
                let mut transaction = sqlx::Acquire::begin(&mut *session).await?;
                insert(&mut *transaction, 1).await?;
                assert_eq!(place.count("notes").await, 0, "not before its commit");
                transaction.commit().await?;
                assert_eq!(place.count("notes").await, 1);
                let mut transaction = session.raw().await?.begin().await?;
                insert(&mut *transaction, 2).await?;
                transaction.rollback().await?;
                let mut transaction = session.raw().await?.begin().await?;
                insert(&mut *transaction, 3).await?;
                let mut inner = transaction.begin().await?;
                insert(&mut *inner, 4).await?;
                drop(inner);
                transaction.commit().await?;
                let mut transaction = session.raw().await?.begin().await?;
                insert(&mut *transaction, 5).await?;
                drop(transaction);
                insert(session.raw().await?, 6).await?;
                insert(&mut *session, 7).await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
            let rows: Vec<i64> = sqlx::query_scalar("SELECT id FROM notes WHERE id < 1000 ORDER BY id").fetch_all(&place.plain).await.unwrap();
            assert_eq!(rows, [1, 3, 6, 7]);
            is_clean(&place, &pool).await;
            sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Left {
        Nothing,
        RawBegin,
        RawBeginAndRead,
        Leaked,
        AutocommitOff,
    }

    /// A transaction that somebody leaves open on it is rolled back, and nobody is told that all is well.
    #[tokio::test]
    async fn nothing_is_left_open() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for left in [Left::Nothing, Left::RawBegin, Left::RawBeginAndRead, Left::Leaked, Left::AutocommitOff] {
            if matches!(left, Left::AutocommitOff) && NAME != "mysql" {
                continue;
            }
            for goes_on in [false, true] {
                let before = place.count("notes").await;
                let ended = managed(&ALONE, &pool, async |session: &mut Session| {
                    insert(&mut *session, 1).await?;
                    let lent = session.raw().await?;
                    match left {
                        Left::Nothing => {}
                        Left::RawBegin | Left::RawBeginAndRead => {
                            sqlx::raw_sql("BEGIN").execute(&mut *lent).await?;
                        }
                        Left::Leaked => std::mem::forget(lent.begin().await?),
                        Left::AutocommitOff => {
                            sqlx::raw_sql("SET autocommit = 0").execute(&mut *lent).await?;
                        }
                    }
                    if matches!(left, Left::RawBeginAndRead) {
                        sqlx::query("SELECT * FROM notes").fetch_all(&mut *lent).await?;
                    } else {
                        insert(&mut *lent, 2).await?;
                    }
                    if goes_on {
                        let _ = insert(&mut *session, 3).await;
                    }
                    Ok::<_, Error>(())
                })
                .await;
                if matches!(left, Left::Nothing) {
                    ended.unwrap();
                } else {
                    let error = ended.unwrap_err();
                    assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::Unknown), "{left:?} {goes_on}: {error:?}");
                    assert_eq!(place.count("notes").await, before + 1, "{left:?} {goes_on}");
                }
                is_clean(&place, &pool).await;
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
    }
}

mod sqlite_locks {
    use super::ALONE;
    use crate::support::{sqlite::*, *};
    use std::time::Duration;
    use steadfast::Error;

    /// Runs a call while another process holds the lock for a while.
    async fn behind_a_writer(place: &Place, call: impl Future<Output = Result<(), Error>>) {
        let mut writer = place.plain.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("UPDATE accounts SET cents = 0 WHERE id = 0")
            .execute(&mut *writer)
            .await
            .unwrap();
        let (ended, ()) = tokio::join!(call, async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            writer.commit().await.unwrap();
        });
        ended.unwrap();
    }

    /// Each statement waits for whoever writes, as one on the pool does.
    #[tokio::test]
    async fn a_statement_waits_for_another_process() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let two = managed(&ALONE, &pool, async |session: &mut Session| {
            sqlx::query("INSERT INTO notes VALUES (1, 'execute')")
                .execute(&mut *session)
                .await?;
            sqlx::query("INSERT INTO notes VALUES (2, 'fetch') RETURNING id")
                .fetch_one(&mut *session)
                .await?;
            Ok::<_, Error>(())
        });
        behind_a_writer(&place, two).await;
        assert_eq!(place.count("notes").await, 2);
        let first = managed(&ALONE, &pool, async |session: &mut Session| {
            sqlx::query("INSERT INTO notes VALUES (3, 'first') RETURNING id")
                .fetch_optional(&mut *session)
                .await?;
            Ok::<_, Error>(())
        });
        behind_a_writer(&place, first).await;
        assert_eq!(place.count("notes").await, 3);
    }
}
