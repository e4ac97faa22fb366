//! Every way in which a managed closure may end.

each_database! {
    use std::time::{Duration, Instant};
    use steadfast::{Category, Error, Isolation, Outcome, Phase, SessionStage};

    async fn pay(session: &mut Session, id: i64, cents: i64) -> Result<(), sqlx::Error> {
        sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
            .bind(cents).bind(id).execute(&mut *session).await?;
        Ok(())
    }

    macro_rules! name {
        ($name:literal) => { concat!(module_path!(), "::", $name) };
    }

    #[tokio::test]
    async fn ok_is_committed_and_counted() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        const NAME: &str = name!("ok");
        assert!(!steadfast::operations().any(|operation| operation.name() == NAME), "not before its first use");
        for _ in 0..2 {
            let seen = pool.session(NAME, async |session| {
                pay(session, 1, -500).await?;
                pay(session, 2, 500).await?;
                Ok::<_, Error>((session.operation(), session.attempt(), session.deadline()))
            }).await.unwrap();
            assert_eq!(seen, (NAME, 1, None));
            assert_quiet(&pool);
        }
        assert_eq!((place.cents(1).await, place.cents(2).await), (0, 2000));
        // One for the process, whatever the pool.
        let other = place.pool(1).await;
        other.session(NAME, async |session| Ok::<_, Error>(pay(session, 2, 1).await?)).await.unwrap();
        let counted = stats(NAME);
        assert_eq!((counted.started, counted.committed, counted.failures().count()), (3, 3, 0));
    }

    #[tokio::test]
    async fn err_is_rolled_back_and_its_own() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = pool.session(name!("err"), async |session| {
            pay(session, 1, -500).await?;
            Err::<(), Error>(sqlx::Error::RowNotFound.into())
        }).await.unwrap_err();
        assert_quiet(&pool);
        assert_eq!((error.category(), error.outcome()), (Category::NotFound, Outcome::RolledBack));
        assert_eq!(error.operation(), Some(name!("err")));
        // Other errors go through it as through an annotated function.
        let error = pool.session(name!("anyhow"), async |session| {
            pay(session, 1, -500).await?;
            Err::<(), _>(anyhow::anyhow!("no more"))
        }).await.unwrap_err();
        assert_eq!(error.to_string(), "no more");
        assert_eq!(place.cents(1).await, 1000);
        assert_eq!((stats(name!("err")).rolled_back, stats(name!("anyhow")).rolled_back), (1, 1));
    }

    #[tokio::test]
    async fn a_panic_is_rolled_back_and_resumed() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let call = pool.session(name!("panics"), async |session| {
            pay(session, 1, -500).await?;
            if session.attempt() == 1 { panic!("half-way") }
            Ok::<_, Error>(())
        });
        assert_eq!(panic_of(call).await, "half-way");
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.open_transactions().await), (1000, 0));
        assert_eq!((stats(name!("panics")).panicked, stats(name!("panics")).rolled_back), (1, 1));
    }

    #[tokio::test]
    async fn dropped_mid_statement_it_is_rolled_back_within_a_second() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        {
            let call = std::pin::pin!(pool.session(name!("dropped"), async |session| {
                pay(session, 1, -500).await?;
                sqlx::query(SLOW).execute(&mut *session).await?;
                Ok::<_, Error>(())
            }));
            tokio::select! {
                ended = call => panic!("{ended:?}"),
                () = place.slow_is_running() => {}
            }
        }
        let began = Instant::now();
        pool.session(name!("next"), async |session| Ok::<_, Error>(pay(session, 9, 1).await?)).await.unwrap();
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!((place.cents(1).await, place.cents(9).await), (1000, 1001));
        assert_eq!(pool.stats().opened, 1, "the same connection");
        assert_eq!((stats(name!("dropped")).cancelled, stats(name!("dropped")).rolled_back), (1, 1));
    }

    #[tokio::test]
    async fn a_deadline_ends_it() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let began = Instant::now();
        let error = pool.operation(name!("late")).timeout(Duration::from_millis(150)).run(async |session| {
            assert!(session.deadline().is_some());
            pay(session, 1, -500).await?;
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok::<_, Error>(())
        }).await.unwrap_err();
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!((error.category(), error.outcome()), (Category::Timeout, Outcome::RolledBack), "{error}");
        quiet(&pool).await;
        assert_eq!(place.cents(1).await, 1000);
    }

    #[tokio::test]
    async fn without_a_statement_nothing_is_sent() {
        let place = Place::new().await;
        let pool = place.builder(1).connect_lazy().unwrap();
        let text = pool.session(name!("idle"), async |_| Ok::<_, Error>("done")).await.unwrap();
        assert_eq!((text, pool.stats().opened, stats(name!("idle")).not_sent), ("done", 0, 1));
    }

    #[tokio::test]
    async fn on_a_closed_pool_it_says_so() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert!(pool.close().await.is_clean());
        let error = pool.session(name!("closed"), async |session| Ok::<_, Error>(pay(session, 1, 1).await?))
            .await.unwrap_err();
        assert_eq!(error.category(), Category::Closed);
    }

    /// It is listed while it runs, and may nest whatever an annotated function may.
    #[tokio::test]
    async fn it_is_a_session_like_any_other() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.session(name!("outer"), async |session| {
            pay(session, 1, -1).await?;
            let listed = pool.sessions();
            assert_eq!((listed.len(), listed[0].operation, listed[0].stage), (1, name!("outer"), SessionStage::Open));
            let undone = session.savepoint(async |session| {
                pay(session, 2, 100).await?;
                Err::<(), Error>(transient())
            }).await;
            assert!(undone.is_err());
            session.set_rollback_only();
            Ok::<_, Error>(())
        }).await.unwrap();
        assert_quiet(&pool);
        assert_eq!((place.cents(1).await, place.cents(2).await), (1000, 1000));
    }

    #[tokio::test]
    async fn read_only_refuses_to_write() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let level = if support_is_sqlite() { Isolation::Serializable } else { Isolation::RepeatableRead };
        let operation = pool.operation(name!("reads")).read_only().isolation(level);
        assert!(format!("{operation:?}").contains(name!("reads")));
        let error = operation.run(async |session| Ok::<_, Error>(pay(session, 1, 1).await?)).await.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::RolledBack), "{error}");
        let cents: i64 = pool.operation(name!("reads")).read_only().run(async |session| {
            Ok::<_, Error>(sqlx::query_scalar("SELECT cents FROM accounts WHERE id = 1").fetch_one(&mut *session).await?)
        }).await.unwrap();
        assert_eq!((cents, place.cents(1).await), (1000, 1000));
    }

    fn support_is_sqlite() -> bool {
        NAME == "sqlite"
    }

    #[tokio::test]
    async fn autocommit_keeps_what_each_statement_did() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = pool.operation(name!("autocommit")).autocommit().run(async |session| {
            pay(session, 1, -1).await?;
            Err::<(), Error>(sqlx::Error::RowNotFound.into())
        }).await.unwrap_err();
        assert_eq!((error.category(), error.phase()), (Category::NotFound, Phase::Body));
        assert_quiet(&pool);
        assert_eq!(place.cents(1).await, 999);
    }
}

mod limits {
    each_server! {
        use std::time::{Duration, Instant};
        use steadfast::{Category, Error};

        #[tokio::test]
        async fn the_server_keeps_the_limits() {
            let place = Place::new().await;
            let pool = place.pool(2).await;
            let error = pool.operation(concat!(module_path!(), "::statement"))
                .statement_timeout(Duration::from_millis(200))
                .run(async |session| {
                    // Not `SLEEP` on MariaDB: it answers where it should fail.
                    let slow = match NAME {
                        "mysql" => "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
                        _ => SLOW,
                    };
                    sqlx::query(slow).execute(&mut *session).await?;
                    Ok::<_, Error>(())
                }).await.unwrap_err();
            assert_eq!(error.category(), Category::Timeout, "{error}");

            let mut holder = pool.begin().await.unwrap();
            sqlx::query("UPDATE accounts SET cents = 0 WHERE id = 1").execute(&mut holder).await.unwrap();
            let began = Instant::now();
            let error = pool.operation(concat!(module_path!(), "::lock"))
                .lock_timeout(Duration::from_millis(200))
                .run(async |session| {
                    sqlx::query("UPDATE accounts SET cents = 1 WHERE id = 1").execute(&mut *session).await?;
                    Ok::<_, Error>(())
                }).await.unwrap_err();
            assert_eq!(error.category(), Category::LockTimeout, "{error}");
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
            holder.rollback().await.unwrap();
            assert_quiet(&pool);
        }
    }
}
