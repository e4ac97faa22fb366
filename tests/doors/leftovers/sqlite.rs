//! SQLite: a connection that is not what it was is closed.

use super::{ENDS, end};
use crate::support::sqlite::*;
use sqlx::{Executor as _, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// What is left, what shows it, what that must say, and whether the connection serves on.
pub(crate) const LEFT: &[(&str, &str, &str, bool)] = &[
    (
        "PRAGMA foreign_keys = off",
        "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        "1",
        false,
    ),
    (
        "EXPLAIN PRAGMA foreign_keys = off",
        "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        "1",
        false,
    ),
    (
        "PRAGMA synchronous = off",
        "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
        "2",
        false,
    ),
    (
        "PRAGMA busy_timeout = 7000",
        "SELECT CAST(timeout AS TEXT) FROM pragma_busy_timeout",
        "25",
        false,
    ),
    (
        "PRAGMA query_only = on",
        "SELECT CAST(query_only AS TEXT) FROM pragma_query_only",
        "0",
        false,
    ),
    (
        "PRAGMA cache_size = 7",
        "SELECT CAST(cache_size AS TEXT) FROM pragma_cache_size",
        "-2000",
        false,
    ),
    (
        "PRAGMA recursive_triggers = on",
        "SELECT CAST(recursive_triggers AS TEXT) FROM pragma_recursive_triggers",
        "0",
        false,
    ),
    (
        "PRAGMA ignore_check_constraints = on",
        "SELECT CAST(ignore_check_constraints AS TEXT) FROM pragma_ignore_check_constraints",
        "0",
        false,
    ),
    (
        "PRAGMA case_sensitive_like = on",
        "SELECT CAST('a' LIKE 'A' AS TEXT)",
        "1",
        false,
    ),
    (
        "PRAGMA locking_mode = exclusive",
        "SELECT locking_mode FROM pragma_locking_mode",
        "normal",
        false,
    ),
    (
        "PRAGMA writable_schema = on",
        "PRAGMA writable_schema",
        "0",
        false,
    ),
    (
        "PRAGMA wal_autocheckpoint = 7",
        "PRAGMA wal_autocheckpoint",
        "1000",
        false,
    ),
    ("PRAGMA mmap_size = 700000", "PRAGMA mmap_size", "0", false),
    (
        "ATTACH ':memory:' AS seven",
        "SELECT CAST(count(*) AS TEXT) FROM pragma_database_list WHERE name = 'seven'",
        "0",
        false,
    ),
    (
        "CREATE TEMPORARY TABLE accounts (id)",
        "SELECT CAST(count(*) AS TEXT) FROM accounts",
        "10",
        false,
    ),
    (
        "CREATE TEMPORARY TRIGGER seven AFTER UPDATE ON accounts BEGIN DELETE FROM notes; END",
        "SELECT CAST(count(*) AS TEXT) FROM sqlite_temp_master",
        "0",
        false,
    ),
    (
        "BEGIN IMMEDIATE; UPDATE accounts SET cents = 0",
        "SELECT CAST(sum(cents) AS TEXT) FROM accounts",
        "10000",
        true,
    ),
    (
        "BEGIN; SAVEPOINT seven; UPDATE accounts SET cents = 0",
        "SELECT CAST(sum(cents) AS TEXT) FROM accounts",
        "10000",
        true,
    ),
    (
        "CREATE TABLE lasting (id); DROP TABLE lasting; PRAGMA optimize",
        "SELECT 'works'",
        "works",
        true,
    ),
    (
        "CREATE TEMPORARY TABLE gone (id); DROP TABLE gone",
        "SELECT CAST(count(*) AS TEXT) FROM sqlite_temp_master",
        "0",
        true,
    ),
];

async fn shown(connection: impl sqlx::Executor<'_, Database = sqlx::Sqlite>, look: &str) -> String {
    use sqlx::Row as _;
    let row = sqlx::query(sql(look)).fetch_one(connection).await.unwrap();
    row.try_get_unchecked(0).unwrap()
}

#[tokio::test]
async fn nothing_of_it_is_found() {
    for (left, look, clean, stays) in LEFT {
        for how in ENDS {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            assert_eq!(shown(&pool, look).await, *clean, "{look} at first");
            let mut lease = pool.acquire().await.unwrap();
            lease
                .execute(*left)
                .await
                .unwrap_or_else(|error| panic!("{left}: {error}"));
            if *clean != "works" && !left.contains("DROP TABLE") {
                assert_ne!(
                    shown(&mut *lease, look).await,
                    *clean,
                    "{left} leaves what {look} shows"
                );
            }
            end(&pool, lease, how, place.slow_is_running(), async |lease| {
                drop(lease.execute(SLOW).await)
            })
            .await;
            assert_eq!(shown(&pool, look).await, *clean, "{left}, {how}");
            assert_eq!(
                pool.stats().opened,
                if *stays { 1 } else { 2 },
                "{left}, {how}"
            );
            assert_eq!(
                (place.total().await, place.open_transactions().await),
                (10_000, 0),
                "{left}, {how}"
            );
        }
    }
}

async fn hooks(connection: &mut SqliteConnection, called: &Arc<AtomicU32>) {
    let mut handle = connection.lock_handle().await.unwrap();
    handle.remove_commit_hook();
    handle.remove_rollback_hook();
    let progress = Arc::clone(called);
    handle.set_progress_handler(10, move || {
        progress.fetch_add(1, SeqCst);
        true
    });
    let update = Arc::clone(called);
    handle.set_update_hook(move |_| {
        update.fetch_add(1, SeqCst);
    });
}

/// Without them a COMMIT that is not ours, and a rollback of SQLite's own, would go unseen.
#[tokio::test]
async fn the_hooks_are_ours_again() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for how in ["release", "drop", "without a runtime"] {
        let called = Arc::new(AtomicU32::new(0));
        let mut lease = pool.acquire().await.unwrap();
        hooks(&mut lease, &called).await;
        lease
            .execute("UPDATE accounts SET cents = cents WHERE id = 1")
            .await
            .unwrap();
        assert!(called.load(SeqCst) > 0);
        end(&pool, lease, how, place.slow_is_running(), async |_| ()).await;
        let before = called.load(SeqCst);
        let mut session = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO notes (id, body) VALUES (1, 'kept')")
            .execute(&mut session)
            .await
            .unwrap();
        let again = sqlx::query("INSERT OR ROLLBACK INTO notes (id, body) VALUES (1, 'kept')")
            .execute(&mut session)
            .await;
        assert!(again.is_err());
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.outcome(), steadfast::Outcome::RolledBack, "{error}");
        assert_eq!(
            (
                called.load(SeqCst),
                place.count("notes").await,
                pool.stats().opened
            ),
            (before, 0, 1),
            "{how}"
        );
    }
}

/// And what stops a running statement is there again, too.
#[tokio::test]
async fn a_session_behind_such_a_lease_can_be_stopped() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let mut lease = pool.acquire().await.unwrap();
    hooks(&mut lease, &Arc::default()).await;
    pool.release(lease).await.unwrap();
    let error = pool
        .operation("leftovers::stopped")
        .timeout(std::time::Duration::from_millis(100))
        .run(async |session| {
            sqlx::query(SLOW).execute(&mut *session).await?;
            Ok::<_, steadfast::Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), steadfast::Outcome::RolledBack, "{error}");
    crate::support::quiet(&pool).await;
    assert_eq!(pool.stats().opened, 1);
}

#[tokio::test]
async fn after_connect_holds_again() {
    let place = Place::new().await;
    let called = Arc::new(AtomicU32::new(0));
    let pool = place
        .builder(1)
        .after_connect({
            let called = Arc::clone(&called);
            move |connection| {
                let called = Arc::clone(&called);
                Box::pin(async move {
                    connection.execute("PRAGMA cache_size = 5").await?;
                    connection.lock_handle().await?.set_update_hook(move |_| {
                        called.fetch_add(1, SeqCst);
                    });
                    Ok(())
                })
            }
        })
        .connect()
        .await
        .unwrap();
    let mut lease = pool.acquire().await.unwrap();
    lease.lock_handle().await.unwrap().remove_update_hook();
    pool.release(lease).await.unwrap();
    sqlx::query("UPDATE accounts SET cents = cents WHERE id = 1")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!((called.load(SeqCst), pool.stats().opened), (1, 1));
}
