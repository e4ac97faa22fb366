//! What is promised of the lent connection itself.

each_database! {
    use steadfast::{Category, Error, Outcome};

    helpers!();

    async fn counts(pool: &Pool) -> (u32, u64) {
        let stats = pool.stats();
        (stats.in_use as u32, stats.opened)
    }

    /// Lending opens the session, and is refused where a statement would be.
    #[tokio::test]
    async fn lending_is_refused_where_a_statement_is() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(counts(&pool).await.0, 0);
        let mut session = pool.begin().await.unwrap();
        session.raw().await.unwrap();
        assert_eq!(counts(&pool).await.0, 1);
        session.commit().await.unwrap();
        assert_quiet(&pool);

        // A doomed level lends nothing.
        let mut session = pool.begin().await.unwrap();
        insert(&mut session, 1).await.unwrap();
        let doomed: Result<(), Error> = session
            .savepoint(async |session| {
                insert(&mut *session, 1).await.expect_err("the id is taken");
                let lent = session.raw().await.map(drop);
                assert_eq!(lent.is_err(), ERROR_DOOMS);
                let begun = sqlx::Acquire::begin(&mut *session).await.map(drop);
                assert_eq!(begun.is_err(), ERROR_DOOMS);
                let acquired = sqlx::Acquire::acquire(&mut *session).await.map(drop);
                assert_eq!(acquired.is_err(), ERROR_DOOMS);
                lent
            })
            .await;
        assert_eq!(doomed.is_err(), ERROR_DOOMS);
        by_acquire(&mut session, 2, Ending::Commit).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(notes(&place).await, [1, 2]);

        // Without a free connection it waits no longer than a statement does.
        let pool = place.builder(1).acquire_timeout(std::time::Duration::from_millis(400)).connect().await.unwrap();
        let mut first = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut first).await.unwrap();
        let mut second = pool.begin().await.unwrap();
        let error = second.raw().await.map(drop).unwrap_err();
        assert!(matches!(error.category(), Category::Capacity | Category::LockTimeout), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        drop(first);
        quiet(&pool).await;
        // And may be tried again, or not at all.
        insert(&mut second, 3).await.unwrap();
        second.commit().await.unwrap();
        assert_eq!(notes(&place).await, [1, 2, 3]);
    }

    /// A connection that was lent and not used has changed nothing.
    #[tokio::test]
    async fn lent_and_not_used() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for commits in [true, false] {
            let mut session = pool.begin().await.unwrap();
            for _ in 0..3 {
                session.raw().await.unwrap();
            }
            insert(&mut session, 1).await.unwrap();
            for _ in 0..3 {
                session.raw().await.unwrap();
            }
            if commits {
                session.commit().await.unwrap();
            } else {
                session.rollback().await.unwrap();
            }
            assert_eq!(notes(&place).await.len(), usize::from(commits));
            sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        }
        assert_eq!(pool.stats().opened, 1);
    }

    /// Prepared statements, streams and several connections' worth of use, one behind the other.
    #[tokio::test]
    async fn a_stream_on_the_lent_connection_dropped_early_is_read_to_its_end() {
        use futures_util::StreamExt as _;

        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        insert(&mut session, 1).await.unwrap();
        {
            let lent = session.raw().await.unwrap();
            let mut rows = sqlx::query("SELECT id FROM accounts").fetch(lent);
            rows.next().await.unwrap().unwrap();
        }
        insert(&mut session, 2).await.unwrap();
        {
            let lent = session.raw().await.unwrap();
            let mut rows = sqlx::query("SELECT id FROM accounts").fetch(lent);
            rows.next().await.unwrap().unwrap();
        }
        session.commit().await.unwrap();
        assert_eq!(notes(&place).await, [1, 2]);
        assert_eq!(pool.stats().opened, 1);
    }
}

mod far {
    each_server! {
        use std::time::{Duration, Instant};
        use steadfast::{Error, with_session};
        use xtask::proxy::Proxy;

        #[with_session]
        async fn lends_and_fails(session: &mut Session) -> Result<(), Error> {
            sqlx::query("SELECT 1").execute(session.raw().await?).await?;
            Err(transient())
        }

        /// That a rollback takes its time behind a loan does not mean that something is still running.
        #[tokio::test]
        async fn a_far_server_is_not_asked_to_cancel() {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            let pool = Pool::builder().primary(proxy.url()).max_connections(1).ping_after(Duration::from_secs(60)).connect().await.unwrap();
            lends_and_fails(&pool).await.unwrap_err();
            proxy.delay(Duration::from_millis(15));
            proxy.reset();
            let began = Instant::now();
            let error = lends_and_fails(&pool).await.unwrap_err();
            assert_eq!(error.outcome(), steadfast::Outcome::RolledBack);
            assert!(began.elapsed() > Duration::from_millis(60), "three ways there and back, and each is long");
            let sent = proxy.sent();
            assert!(!sent.iter().any(|sent| sent.runs("KILL") || format!("{sent:?}").contains("pg_cancel_backend")), "{sent:#?}");
            assert_eq!(pool.stats().opened, 1);
        }
    }
}

mod sqlite_settings {
    use crate::support::sqlite::*;

    /// What sessions themselves set on a connection is right for the next one whatever a helper has set.
    #[tokio::test]
    async fn query_only_is_set_right() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        for commits in [true, false] {
            let mut session = pool.begin().await.unwrap();
            sqlx::query("PRAGMA query_only = 1")
                .execute(session.raw().await.unwrap())
                .await
                .unwrap();
            if commits {
                session.commit().await.unwrap();
            } else {
                session.rollback().await.unwrap();
            }
            sqlx::query("INSERT INTO notes VALUES (1, 'on the pool')")
                .execute(&pool)
                .await
                .unwrap();
            let mut session = pool.begin().await.unwrap();
            sqlx::query("DELETE FROM notes")
                .execute(&mut session)
                .await
                .unwrap();
            session.commit().await.unwrap();
        }
        assert_eq!(pool.stats().opened, 1);
    }
}
