//! The caller drops the future of a call while a control statement is on its way.

each_server! {
    use steadfast::{with_session, Error, SessionStage};
    use xtask::proxy::Fault;

    #[with_session]
    async fn begins(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    fn is_begin(text: &str) -> bool {
        text.contains("BEGIN") || text.contains("START TRANSACTION")
    }

    /// Whether the server has seen it or not.
    #[tokio::test]
    async fn in_begin_the_slot_is_free_within_a_second() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        for (id, fault) in [(1, Fault::HoldBefore), (2, Fault::HoldAnswer)] {
            proxy.on(|sent| matches!(sent, xtask::proxy::Sent::Query(text) if is_begin(text)), fault);
            let fired = proxy.fired();
            drop_when(eventually("BEGIN is held", || async { proxy.fired() > fired }), begins(&pool, id)).await;
            assert_eq!(pool.sessions().len(), 1);
            let took = quiet_at_last(&pool).await;
            assert!(took < about(1000).end, "{fault:?}: {took:?}");
            // The next one is served while the held one is still on its way.
            begins(&pool, 10 + id).await.unwrap();
            assert_eq!(place.count("notes").await, i64::from(id as i32));
            proxy.resume();
            place.has_open(0).await;
        }
        assert_eq!(proxy.fired(), 2);
        let begun = stats(concat!(module_path!(), "::begins"));
        assert_eq!((begun.cancelled, begun.not_sent, begun.committed), (2, 2, 2));
    }

    #[with_session]
    async fn begins_and_fails(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        Err(sqlx::Error::RowNotFound.into())
    }

    /// What was wrong with the connection that was lost says nothing of the one in its place.
    #[tokio::test]
    async fn sent_again_on_another_connection_its_rollback_is_proven() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| matches!(sent, xtask::proxy::Sent::Query(text) if is_begin(text)), Fault::CutAnswer);
        let error = begins_and_fails(&pool).await.unwrap_err();
        assert_eq!((proxy.fired(), error.outcome()), (1, steadfast::Outcome::RolledBack), "{error}");
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 2).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(pool.stats().opened, 2, "proven, the second serves on");
    }

    #[with_session]
    async fn commits(session: &mut Session, id: i64) -> Result<(), Error> {
        note(session, id).await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_commit_it_runs_to_its_end() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        for (id, fault) in [(1, Fault::HoldBefore), (2, Fault::HoldAnswer)] {
            proxy.on(|sent| sent.runs("COMMIT"), fault);
            let fired = proxy.fired();
            drop_when(eventually("COMMIT is held", || async { proxy.fired() > fired }), commits(&pool, id)).await;
            let listed = pool.sessions();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].stage, SessionStage::Ending);
            assert_eq!(pool.stats().in_use, 1);
            let before = stats(concat!(module_path!(), "::commits"));
            assert_eq!(before.in_flight(), 1, "what it came to is not known yet: {before:?}");
            proxy.resume();
            quiet(&pool).await;
            assert_eq!(place.count("notes").await, id);
            assert_eq!(place.open_transactions().await, 0);
            let after = stats(concat!(module_path!(), "::commits"));
            assert_eq!((after.committed, after.cancelled, after.unknown), (id as u64, id as u64, 0));
        }
        assert_eq!((proxy.fired(), pool.stats().opened), (2, 1));
    }

    #[with_session]
    async fn rolls_back(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        Err(transient())
    }

    #[tokio::test]
    async fn in_rollback_it_goes_on_without_its_owner() {
        let place = Place::new().await;
        let (proxy, pool) = place.behind_proxy(1).await;
        proxy.on(|sent| sent.runs("ROLLBACK"), Fault::HoldBefore);
        drop_when(eventually("ROLLBACK is held", || async { proxy.fired() == 1 }), rolls_back(&pool)).await;
        let took = quiet_at_last(&pool).await;
        assert!(took < about(1000).end, "{took:?}");
        place.has_open(0).await;
        begins_after(&pool).await.unwrap();
        assert_eq!(place.count("notes").await, 1);
    }

    #[with_session]
    async fn begins_after(session: &mut Session) -> Result<(), Error> {
        note(session, 5).await?;
        Ok(())
    }
}

/// On SQLite the waits for another process's lock are ours.
mod waiting_for_a_lock {
    use crate::support::{sqlite::*, *};
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
    use sqlx::{ConnectOptions as _, Executor as _};
    use std::time::Duration;
    use steadfast::{Error, with_session};

    #[with_session]
    async fn writes(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'written')")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn in_begin_the_slot_is_free_within_a_second() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut other = place.plain.acquire().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let sends_begin = async {
            eventually("it has the slot", || async { pool.stats().in_use == 1 }).await;
            place.refuses_writers().await;
        };
        drop_when(sends_begin, writes(&pool)).await;
        // While the clock stands the lock timeout does not pass.
        quiet_at_once(&pool).await;
        other.execute("COMMIT").await.unwrap();
        writes(&pool).await.unwrap();
        assert_eq!(place.count("notes").await, 1);
        let written = stats(concat!(module_path!(), "::writes"));
        assert_eq!(
            (written.cancelled, written.committed, written.rolled_back),
            (1, 1, 1)
        );
    }

    #[with_session]
    async fn commits(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO notes (id) VALUES (1)")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    /// Without WAL a reader of another process holds up COMMIT itself.
    #[tokio::test]
    async fn in_commit_it_is_sent_again_until_it_is_through() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("rollback.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(Duration::ZERO);
        let mut other = options.connect().await.unwrap();
        other
            .execute("CREATE TABLE notes (id BIGINT PRIMARY KEY)")
            .await
            .unwrap();
        let pool = Pool::builder()
            .primary_with(options.clone())
            .max_connections(1)
            .connect()
            .await
            .unwrap();
        let mut third = options.connect().await.unwrap();
        other.execute("BEGIN; SELECT * FROM notes").await.unwrap();
        drop_when(refuses_readers(&mut third), commits(&pool)).await;
        assert_eq!(pool.sessions().len(), 1);
        assert_eq!(stats(concat!(module_path!(), "::commits")).in_flight(), 1);
        other.execute("COMMIT").await.unwrap();
        quiet(&pool).await;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM notes")
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(count, 1, "once sent, COMMIT runs to its end");
        let committed = stats(concat!(module_path!(), "::commits"));
        assert_eq!(
            (committed.committed, committed.cancelled, committed.unknown),
            (1, 1, 0)
        );
    }
}
