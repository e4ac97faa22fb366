//! What a session's statements leave beside its transaction: no other session finds it, for its connection is closed.
//! The table is that of the leases.

each_database! {
    use crate::doors::leftovers;
    use sqlx::Row as _;
    use steadfast::{Category, Classify, Error};

    /// What is left, what shows it, and what that must say behind it.
    fn rows() -> Vec<(&'static str, &'static str, &'static str)> {
        match NAME {
            "postgres" => leftovers::postgres::LEFT.to_vec(),
            "mysql" => leftovers::mysql::LEFT.iter().map(|&(left, look, clean, _)| (left, look, clean)).collect(),
            _ => leftovers::sqlite::LEFT.iter().map(|&(left, look, clean, _)| (left, look, clean)).collect(),
        }
    }

    /// Procedures, functions and dynamic SQL: no text shows what they leave, and the guide says so.
    fn is_hidden(left: &str) -> bool {
        ["CALL", "EXECUTE", "SELECT quietly"].iter().any(|hidden| left.starts_with(hidden))
    }

    async fn shown(executor: impl sqlx::Executor<'_, Database = Db>, look: &str) -> sqlx::Result<String> {
        sqlx::raw_sql(sql(look)).fetch_one(executor).await?.try_get_unchecked(0)
    }

    async fn leave(session: &mut Session, left: &str) -> sqlx::Result<()> {
        sqlx::raw_sql(sql(left)).execute(&mut *session).await.map(drop)
    }

    /// `false` where it is refused.
    async fn end(pool: &Pool, how: &str, left: &str) -> bool {
        let done = match how {
            "commit" => {
                let mut session = pool.begin().await.unwrap();
                let done = leave(&mut session, left).await;
                let _ = session.commit().await;
                done
            }
            "rollback" => {
                let mut session = pool.begin().await.unwrap();
                let done = leave(&mut session, left).await;
                let _ = session.rollback().await;
                done
            }
            "drop" => {
                let mut session = pool.begin().await.unwrap();
                leave(&mut session, left).await
            }
            "autocommit" => {
                let run = pool.operation("traces::alone").autocommit().run(async |session| Ok(leave(session, left).await?));
                run.await.map_err(|error: Error| error.into())
            }
            _ => sqlx::raw_sql(sql(left)).execute(pool).await.map(drop),
        };
        support::quiet(pool).await;
        !matches!(done, Err(error) if Classify::category(&error) == Some(Category::Programming) && error.to_string().contains("was not sent"))
    }

    #[tokio::test]
    async fn nothing_of_it_is_found() {
        let place = Place::new().await;
        let mut left_some = 0;
        for (left, look, clean) in rows() {
            let (left, look) = (left.replace("<here>", &place.name), look.replace("<here>", &place.name));
            if is_hidden(&left) {
                continue;
            }
            for how in ["commit", "rollback", "drop", "autocommit", "on the pool"] {
                let pool = place.pool(1).await;
                let passed = end(&pool, how, &left).await;
                // A server lets go of what a closed connection had as soon as it notices.
                support::eventually("it is as it was", || async { shown(&pool, &look).await.is_ok_and(|shown| shown == clean) }).await;
                left_some += u32::from(passed && pool.stats().opened > 1);
                pool.close().await;
                if NAME == "sqlite" {
                    sqlx::raw_sql("PRAGMA locking_mode = normal").execute(&place.plain).await.unwrap();
                }
            }
        }
        assert!(left_some >= 40, "{left_some}: most of the table leaves something");
    }

    /// What passes without a trace costs no connection.
    #[tokio::test]
    async fn what_ends_with_the_transaction_closes_nothing() {
        let place = Place::new().await;
        let clean: &[&str] = match NAME {
            "postgres" => &[
                "SET LOCAL work_mem = '7MB'",
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "SET CONSTRAINTS ALL DEFERRED",
                "SELECT set_config('my.tenant', 'seven', true)",
                "SELECT name FROM pg_settings",
                "CREATE TEMPORARY TABLE gone (id int) ON COMMIT DROP",
                "SELECT pg_advisory_xact_lock(7)",
                "DECLARE seven CURSOR FOR SELECT 7",
                "SHOW work_mem",
            ],
            "mysql" => &["SELECT @seven, 'a@b', @@sort_buffer_size", "SELECT 1 /* := */", "SET STATEMENT sort_buffer_size = 700000 FOR SELECT 1"],
            _ => &["PRAGMA foreign_keys", "PRAGMA table_info(accounts)", "PRAGMA main.user_version = 7", "PRAGMA optimize"],
        };
        let pool = place.pool(1).await;
        for statement in clean {
            let mut session = pool.begin().await.unwrap();
            sqlx::raw_sql(*statement).execute(&mut session).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
            session.commit().await.unwrap();
            assert_eq!(pool.stats().opened, 1, "{statement}");
        }
    }
}

mod locks {
    each_server! {
        /// A session that asks for the lock that another has just held is not kept waiting.
        #[tokio::test]
        async fn a_lock_of_the_session_is_free_behind_it() {
            let lock = match NAME {
                "postgres" => "SELECT pg_advisory_lock(77)::text",
                _ => "SELECT CAST(GET_LOCK(DATABASE(), 60) AS CHAR)",
            };
            let place = Place::new().await;
            let pool = place.pool(2).await;
            for _ in 0..5 {
                let mut session = pool.begin().await.unwrap();
                in_time(sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut session)).await.unwrap();
                session.commit().await.unwrap();
            }
            assert!(pool.stats().opened >= 5);
        }
    }
}
