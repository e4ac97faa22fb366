//! PostgreSQL: everything is reset.

use super::{ENDS, end};
use crate::support::postgres::*;
use crate::support::{PATIENCE, drop_when, eventually};
use sqlx::{Executor as _, Row as _};
use std::time::Instant;
use steadfast::{Error, with_session};

/// What is left, what shows it, and what that must say.
pub(crate) const LEFT: &[(&str, &str, &str)] = &[
    (
        "SET search_path = pg_catalog",
        "SELECT (current_setting('search_path') LIKE 't%')::text",
        "true",
    ),
    (
        "SET statement_timeout = '7min'",
        "SHOW statement_timeout",
        "0",
    ),
    ("SET lock_timeout = '7min'", "SHOW lock_timeout", "0"),
    ("SET work_mem = '7MB'", "SHOW work_mem", "4MB"),
    (
        "SET default_transaction_read_only = on",
        "SHOW default_transaction_read_only",
        "off",
    ),
    (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SHOW default_transaction_isolation",
        "read committed",
    ),
    ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone", "UTC"),
    (
        "SET my.tenant = 'seven'",
        "SELECT coalesce(current_setting('my.tenant', true), '')",
        "",
    ),
    (
        "SET ROLE pg_monitor",
        "SELECT (current_user LIKE 't%')::text",
        "true",
    ),
    (
        "SET SESSION AUTHORIZATION pg_monitor",
        "SELECT (session_user LIKE 't%')::text",
        "true",
    ),
    (
        "CREATE TEMPORARY TABLE accounts (id int); INSERT INTO accounts VALUES (1)",
        "SELECT count(*)::text FROM accounts",
        "10",
    ),
    (
        "SELECT * INTO TEMP accounts FROM accounts WHERE id = 1",
        "SELECT count(*)::text FROM accounts",
        "10",
    ),
    (
        "EXPLAIN ANALYZE CREATE TEMP TABLE accounts AS SELECT 1 AS id",
        "SELECT count(*)::text FROM accounts",
        "10",
    ),
    (
        "SELECT * INTO TABLE pg_temp.accounts FROM accounts WHERE id = 1",
        "SELECT count(*)::text FROM accounts",
        "10",
    ),
    (
        "CREATE RECURSIVE VIEW pg_temp.accounts (id) AS SELECT 1",
        "SELECT count(*)::text FROM accounts",
        "10",
    ),
    (
        "CREATE TEMPORARY VIEW seven AS SELECT 7",
        "SELECT count(*)::text FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
        "0",
    ),
    (
        "SELECT pg_advisory_lock(7); SELECT pg_advisory_lock_shared(8)",
        "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        "0",
    ),
    (
        "LISTEN seven",
        "SELECT count(*)::text FROM pg_listening_channels()",
        "0",
    ),
    (
        "DECLARE seven CURSOR WITH HOLD FOR SELECT 7",
        "SELECT count(*)::text FROM pg_cursors WHERE name = 'seven'",
        "0",
    ),
    (
        "PREPARE seven AS SELECT 7",
        "SELECT count(*)::text FROM pg_prepared_statements WHERE from_sql",
        "0",
    ),
    (
        "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE",
        "SELECT count(*)::text FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND pid = pg_backend_pid() AND relation = 'accounts'::regclass",
        "0",
    ),
    (
        "BEGIN; SET LOCAL work_mem = '7MB'; SELECT 1 / 0",
        "SHOW work_mem",
        "4MB",
    ),
    ("DEALLOCATE ALL", "SELECT 'works'", "works"),
    ("DISCARD ALL", "SELECT 'works'", "works"),
];

#[tokio::test]
async fn nothing_of_it_is_found() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for (left, look, clean) in LEFT {
        for how in ENDS {
            // A failed transaction runs nothing.
            if how == "mid-statement" && left.contains("1 / 0") {
                continue;
            }
            // Prepared, so that a statement that has gone behind sqlx's back is missed.
            let balance = "SELECT cents FROM accounts WHERE id = $1";
            let before: i64 = sqlx::query_scalar(balance)
                .bind(1_i64)
                .fetch_one(&pool)
                .await
                .unwrap();
            let mut lease = pool.acquire().await.unwrap();
            let done = lease.execute(*left).await;
            assert!(done.is_ok() || left.contains("1 / 0"), "{left}: {done:?}");
            // As text: a plan that is cached may not see what has come ahead of it.
            let shown = sqlx::raw_sql(sqlx::AssertSqlSafe(*look))
                .fetch_one(&mut *lease)
                .await;
            let shown = shown.and_then(|row| row.try_get::<String, _>(0));
            if *clean != "works" && !look.contains("my.tenant") {
                assert_ne!(
                    shown.ok().as_deref(),
                    Some(*clean),
                    "{left} leaves what {look} shows"
                );
            }
            end(&pool, lease, how, place.slow_is_running(), async |lease| {
                drop(lease.execute(SLOW).await)
            })
            .await;
            let shown: String = sqlx::query_scalar(sqlx::AssertSqlSafe(*look))
                .fetch_one(&pool)
                .await
                .unwrap();
            assert_eq!(shown, *clean, "{left}, {how}");
            let after: i64 = sqlx::query_scalar(balance)
                .bind(1_i64)
                .fetch_one(&pool)
                .await
                .unwrap();
            assert_eq!(after, before, "{left}, {how}");
            assert_eq!(pool.stats().opened, 1, "{left}, {how}: cleaned, not closed");
        }
    }
}

#[tokio::test]
async fn after_connect_holds_again() {
    let place = Place::new().await;
    let pool = place
        .builder(1)
        .after_connect(|connection| {
            Box::pin(async move {
                connection.execute("SET work_mem = '5MB'; SET statement_timeout = '5min'; CREATE TEMPORARY TABLE mine (id int)").await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    for how in ENDS {
        let mut lease = pool.acquire().await.unwrap();
        lease
            .execute(
                "SET work_mem = '7MB'; SET statement_timeout = '7min'; INSERT INTO mine VALUES (1)",
            )
            .await
            .unwrap();
        end(&pool, lease, how, place.slow_is_running(), async |lease| {
            drop(lease.execute(SLOW).await)
        })
        .await;
        let shown: (String, String, i64) = sqlx::query_as(
            "SELECT current_setting('work_mem'), current_setting('statement_timeout'), (SELECT count(*) FROM mine)",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(shown, ("5MB".to_owned(), "5min".to_owned(), 0), "{how}");
    }
    assert_eq!(pool.stats().opened, 1);
}

/// The URL of a user whose login takes another role for all its work, one that may not see who is connected.
async fn with_role(place: &Place, role: &str) -> String {
    let (user, password) = place.user().await;
    let grant = format!(
        "GRANT pg_read_all_data, pg_write_all_data TO {user}; ALTER ROLE {user} SET role = '{role}'"
    );
    place
        .plain
        .execute(sqlx::AssertSqlSafe(grant))
        .await
        .unwrap();
    place
        .url
        .replace(&format!("{}@", place.name), &format!("{user}:{password}@"))
}

const ROLE: &str = "SELECT current_user::text";

/// `RESET ROLE` gives the role that the login has by default, which `SET SESSION AUTHORIZATION DEFAULT` takes.
#[tokio::test]
async fn the_role_of_the_login_holds_again() {
    let place = Place::new().await;
    let pool = Pool::builder()
        .primary(with_role(&place, "pg_read_all_data").await)
        .max_connections(1)
        .connect()
        .await
        .unwrap();
    let before: String = sqlx::query_scalar(ROLE).fetch_one(&pool).await.unwrap();
    assert_eq!(before, "pg_read_all_data");
    let mut lease = pool.acquire().await.unwrap();
    lease.execute("SET ROLE pg_write_all_data").await.unwrap();
    pool.release(lease).await.unwrap();
    let after: String = sqlx::query_scalar(ROLE).fetch_one(&pool).await.unwrap();
    assert_eq!((after, pool.stats().opened), (before, 1));
}

#[with_session]
async fn slow(session: &mut Session) -> Result<(), Error> {
    sqlx::query(SLOW).execute(&mut *session).await?;
    Ok(())
}

/// Under whatever role.
async fn slow_is_running(place: &Place) {
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE '%' || $1 AND wait_event = 'PgSleep'";
    eventually("it runs", || async {
        let count: i64 = sqlx::query_scalar(sleeps)
            .bind(&place.name)
            .fetch_one(&place.plain)
            .await
            .unwrap();
        count == 1
    })
    .await;
}

/// A role that the login takes may neither see its backends nor stop them.
#[tokio::test]
async fn a_statement_under_another_role_is_stopped() {
    let place = Place::new().await;
    let by_login = Pool::builder().primary(with_role(&place, "pg_read_all_data").await);
    let by_hook = place.builder(1).after_connect(|connection| {
        Box::pin(async move {
            connection.execute("SET ROLE pg_read_all_data").await?;
            Ok(())
        })
    });
    let by_authorization = place.builder(1).after_connect(|connection| {
        Box::pin(async move {
            connection
                .execute("SET SESSION AUTHORIZATION pg_read_all_data")
                .await?;
            Ok(())
        })
    });
    for builder in [by_login, by_hook, by_authorization] {
        let pool = builder.max_connections(1).connect().await.unwrap();
        for _ in 0..2 {
            let call = Box::pin(slow(&pool));
            drop_when(slow_is_running(&place), call).await;
            let dropped = Instant::now();
            let role: String = sqlx::query_scalar(ROLE).fetch_one(&pool).await.unwrap();
            assert_eq!(role, "pg_read_all_data");
            assert!(dropped.elapsed() < PATIENCE, "{:?}", dropped.elapsed());
        }
        assert_eq!(pool.stats().opened, 1, "the same connection");
    }
}

/// A statement of this text was prepared for a table of that name which is gone.
#[tokio::test]
async fn a_temporary_table_that_hid_another_leaves_no_plan() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let all = "SELECT * FROM accounts ORDER BY id";
    let mut lease = pool.acquire().await.unwrap();
    lease
        .execute("CREATE TEMPORARY TABLE accounts (id text, name text, third text)")
        .await
        .unwrap();
    sqlx::query(all).fetch_all(&mut *lease).await.unwrap();
    pool.release(lease).await.unwrap();
    let rows: Vec<(i64, i64)> = sqlx::query_as(all).fetch_all(&pool).await.unwrap();
    assert_eq!((rows.len(), pool.stats().opened), (10, 1));
}

/// The same where the name means what it did when the lease is given back.
#[tokio::test]
async fn nor_does_a_search_path_that_was_set_right_again() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for (all, set, reset) in [
        (
            "SELECT * FROM accounts ORDER BY id",
            "SET search_path = aside",
            "RESET search_path",
        ),
        (
            "SELECT * FROM accounts ORDER BY id LIMIT 10",
            "BEGIN; SET LOCAL search_path = aside",
            "ROLLBACK",
        ),
    ] {
        let mut lease = pool.acquire().await.unwrap();
        lease
            .execute("CREATE SCHEMA IF NOT EXISTS aside; CREATE TABLE IF NOT EXISTS aside.accounts (id text, third text)")
            .await
            .unwrap();
        lease.execute(set).await.unwrap();
        sqlx::query(all).fetch_all(&mut *lease).await.unwrap();
        lease.execute(reset).await.unwrap();
        pool.release(lease).await.unwrap();
        let rows: Vec<(i64, i64)> = sqlx::query_as(all).fetch_all(&pool).await.unwrap();
        assert_eq!((rows.len(), pool.stats().opened), (10, 1), "{set}");
    }
}

/// Neither side's log gets a warning for a lease that left nothing.
#[tokio::test]
async fn a_clean_lease_is_silent() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let (logs, _guard) = crate::support::logs::capture();
    let mut lease = pool.acquire().await.unwrap();
    lease.execute("SELECT 1").await.unwrap();
    pool.release(lease).await.unwrap();
    drop(pool.acquire().await.unwrap());
    crate::support::quiet(&pool).await;
    let loud: Vec<_> = logs
        .lines()
        .into_iter()
        .filter(|line| line.level <= tracing::Level::INFO && !line.is_span)
        .collect();
    assert!(loud.is_empty(), "{loud:?}");
}
