//! `nested = join`: an inner call without a savepoint, whose failure is the whole session's.

use steadfast::__private::{Nested, Operation, Options};

static JOINS: Operation =
    Operation::new("join::joins").options(Options::new().nested(Nested::Join));
static JOINS_IN_TIME: Operation =
    Operation::new("join::joins_in_time").options(Options::new().nested(Nested::Join).timeout(150));
static READS: Operation =
    Operation::new("join::reads").options(Options::new().nested(Nested::Join).read_only());

each_database! {
    use super::*;
    use futures_util::FutureExt as _;
    use std::panic::AssertUnwindSafe;
    use steadfast::{Category, Error, Integrity, Outcome, with_session};

    async fn note(session: &mut Session, id: i64) -> Result<(), Error> {
        sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)")).bind(id).bind(id.to_string()).execute(&mut *session).await?;
        Ok(())
    }

    async fn join(session: &mut Session, id: i64, end: Result<(), fn() -> Error>) -> Result<(), Error> {
        managed(&JOINS, &mut *session, async |session: &mut Session| {
            note(session, id).await?;
            end.map_err(|error| error())
        })
        .await
    }

    async fn refused(place: &Place, pool: &Pool, session: Session, category: Category) -> Error {
        let error = session.commit().await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (category, Outcome::RolledBack), "{error}");
        assert_quiet(pool);
        assert_eq!((place.count("notes").await, place.open_transactions().await, pool.stats().opened), (0, 0, 1));
        error
    }

    #[tokio::test]
    async fn ok_is_a_part_of_the_whole() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        join(&mut session, 1, Ok(())).await.unwrap();
        note(&mut session, 2).await.unwrap();
        join(&mut session, 3, Ok(())).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 3);
        let mut session = pool.begin().await.unwrap();
        join(&mut session, 4, Ok(())).await.unwrap();
        session.rollback().await.unwrap();
        assert_eq!(place.count("notes").await, 3);
    }

    #[tokio::test]
    async fn on_a_pool_it_is_a_session_of_its_own() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        managed(&JOINS, &pool, async |session: &mut Session| note(session, 1).await).await.unwrap();
        managed(&JOINS, &pool, async |session: &mut Session| {
            note(session, 2).await?;
            Err::<(), _>(transient())
        })
        .await
        .unwrap_err();
        assert_eq!(place.count("notes").await, 1);
    }

    /// The commit answers what the inner call failed with; statements until then do too.
    /// Trap 5: an inner rollback is swallowed, and half of the work stays.
    #[tokio::test]
    async fn an_err_that_is_swallowed_dooms_the_whole() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let faults: [(fn() -> Error, Category); 3] = [
            (transient, Category::Capacity),
            (|| sqlx::Error::RowNotFound.into(), Category::NotFound),
            (|| sqlx::Error::ColumnNotFound("x".to_owned()).into(), Category::Programming),
        ];
        for (fault, category) in faults {
            let mut session = pool.begin().await.unwrap();
            note(&mut session, 1).await.unwrap();
            let error = join(&mut session, 2, Err(fault)).await.unwrap_err();
            assert_eq!((error.category(), error.outcome()), (category, Outcome::RolledBack), "{error}");
            let next = note(&mut session, 3).await.unwrap_err();
            assert_eq!(next.category(), category, "{next}");
            assert!(session.raw().await.is_err());
            assert!(join(&mut session, 4, Ok(())).await.is_err());
            let level: Result<(), Error> = session.savepoint(async |session| note(session, 5).await).await;
            assert_eq!(level.unwrap_err().category(), category);
            refused(&place, &pool, session, category).await;
        }
        // Also where nothing had been sent at all.
        let mut session = pool.begin().await.unwrap();
        managed(&JOINS, &mut session, async |_: &mut Session| Err::<(), _>(transient())).await.unwrap_err();
        let error = session.commit().await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Capacity, Outcome::NotSent), "{error}");
    }

    /// A failure of the database inside of it, with its code.
    #[tokio::test]
    async fn a_database_error() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let error = join(&mut session, 1, Ok(())).await.unwrap_err();
        assert_eq!(error.category(), Category::Integrity(Integrity::Unique));
        let first = refused(&place, &pool, session, Category::Integrity(Integrity::Unique)).await;
        assert_eq!(first.code(), error.code());
    }

    #[tokio::test]
    async fn a_panic() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let panicked = AssertUnwindSafe(managed(&JOINS, &mut session, async |session: &mut Session| {
            note(session, 2).await?;
            std::panic::resume_unwind(Box::new("inner"));
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        }))
        .catch_unwind()
        .await;
        assert!(panicked.is_err());
        refused(&place, &pool, session, Category::Cancelled).await;
    }

    #[tokio::test]
    async fn a_drop() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for in_statement in [false, true] {
            let mut session = pool.begin().await.unwrap();
            note(&mut session, 1).await.unwrap();
            let call = managed(&JOINS, &mut session, async |session: &mut Session| {
                note(session, 2).await?;
                if in_statement {
                    sqlx::query(SLOW).execute(&mut *session).await?;
                }
                wait_for_ever::<Result<(), Error>>().await
            });
            if in_statement {
                drop_when(place.slow_is_running(), call).await;
            } else {
                drop_waiting(call).await;
            }
            refused(&place, &pool, session, Category::Cancelled).await;
        }
        // Dropped before its first poll, or before it has done anything, too: nobody knows what was meant.
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let call = managed(&JOINS, &mut session, async |_: &mut Session| std::future::pending::<Result<(), Error>>().await);
        assert!(drop_at_poll(call, 1).await.is_none());
        refused(&place, &pool, session, Category::Cancelled).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        drop(managed(&JOINS, &mut session, async |session: &mut Session| note(session, 2).await));
        session.rollback().await.unwrap();
    }

    #[tokio::test]
    async fn its_own_deadline() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let error = managed(&JOINS_IN_TIME, &mut session, async |session: &mut Session| {
            note(session, 2).await?;
            std::future::pending::<Result<(), Error>>().await
        })
        .await
        .unwrap_err();
        assert_eq!(error.category(), Category::Timeout, "{error}");
        assert!(session.deadline().is_none(), "it was the inner call's own");
        refused(&place, &pool, session, Category::Timeout).await;
    }

    /// `Ok` of a body that has swallowed what dooms the session is no more `Ok` than that of a savepoint.
    #[tokio::test]
    async fn ok_of_a_body_that_has_swallowed_a_doom() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let result = managed(&JOINS, &mut session, async |session: &mut Session| {
            note(session, 1).await.expect_err("the id is taken");
            Ok::<_, Error>(())
        })
        .await;
        assert_eq!(result.is_err(), ERROR_DOOMS, "{result:?}");
        if ERROR_DOOMS {
            refused(&place, &pool, session, Category::Integrity(Integrity::Unique)).await;
        } else {
            session.commit().await.unwrap();
        }
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 7).await.unwrap();
        let result = managed(&JOINS, &mut session, async |session: &mut Session| {
            join(session, 8, Err(transient)).await.unwrap_err();
            Ok::<_, Error>(())
        })
        .await;
        assert_eq!(result.unwrap_err().category(), Category::Capacity);
        assert!(session.commit().await.is_err());
    }

    #[with_session]
    async fn around(session: &mut Session, fails: bool) -> Result<(), Error> {
        note(session, 2).await?;
        let inner = join(session, 3, if fails { Err(transient) } else { Ok(()) }).await;
        assert_eq!(inner.is_err(), fails);
        Ok(())
    }

    /// Inside a savepoint it is a part of that; its failure is the whole session's all the same.
    #[tokio::test]
    async fn in_a_savepoint() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let error = around(&mut session, true).await.unwrap_err();
        assert_eq!(error.category(), Category::Capacity, "{error}");
        refused(&place, &pool, session, Category::Capacity).await;

        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let undone: Result<(), Error> = session
            .savepoint(async |session| {
                join(session, 2, Ok(())).await?;
                Err(sqlx::Error::RowNotFound.into())
            })
            .await;
        undone.unwrap_err();
        around(&mut session, false).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 3);
    }

    /// What a joined call lends is lent by the session.
    #[tokio::test]
    async fn it_lends() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for fails in [false, true] {
            let mut session = pool.begin().await.unwrap();
            note(&mut session, 1).await.unwrap();
            let result = managed(&JOINS, &mut session, async |session: &mut Session| {
                let mut transaction = sqlx::Acquire::begin(&mut *session).await?;
                sqlx::query("INSERT INTO notes (id, body) VALUES (2, 'two')").execute(&mut *transaction).await?;
                transaction.commit().await?;
                if fails { Err(transient()) } else { Ok(()) }
            })
            .await;
            assert_eq!(result.is_err(), fails);
            if fails {
                refused(&place, &pool, session, Category::Capacity).await;
            } else {
                session.commit().await.unwrap();
                assert_eq!(place.count("notes").await, 2);
                sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn it_must_fit() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let error = managed(&READS, &mut session, async |session: &mut Session| note(session, 2).await).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::NotSent), "{error}");
        // Refused before it had joined.
        note(&mut session, 3).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.count("notes").await, 2);
    }
}

mod round_trips {
    each_server! {
        use super::super::JOINS;
        use steadfast::Error;
        use xtask::proxy::Proxy;

        async fn touch(session: &mut Session) -> Result<(), Error> {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2")).bind(1_i64).bind(1_i64).execute(&mut *session).await?;
            Ok(())
        }

        #[tokio::test]
        async fn a_joined_call_costs_none() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).ping_after(std::time::Duration::from_secs(60)).connect().await.unwrap();
            for prepared in [false, true] {
                proxy.reset();
                let mut session = pool.begin().await.unwrap();
                touch(&mut session).await.unwrap();
                for _ in 0..3 {
                    managed(&JOINS, &mut session, async |session: &mut Session| touch(session).await).await.unwrap();
                }
                touch(&mut session).await.unwrap();
                session.commit().await.unwrap();
                if prepared {
                    println!("{NAME:9} | 5 statements, 3 of them in joined calls | {}", proxy.round_trips());
                    assert_eq!(proxy.round_trips(), 7, "{:#?}", proxy.sent());
                    assert!(!proxy.sent().iter().any(|sent| sent.runs("SAVEPOINT steadfast_1")));
                }
            }
        }
    }
}
