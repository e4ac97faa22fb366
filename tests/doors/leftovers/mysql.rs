//! MariaDB: what can be undone is, and whatever else was done closes the connection.

use super::{ENDS, end};
use crate::support::{eventually, mysql::*};
use sqlx::{Executor as _, Row as _};

pub(crate) const PROCEDURES: &str = "
    CREATE PROCEDURE sets() BEGIN SET @seven = 7; SET SESSION sort_buffer_size = 700000; END;
    CREATE PROCEDURE makes() BEGIN CREATE TEMPORARY TABLE hidden (id INT); END;
    CREATE PROCEDURE turns() BEGIN SET autocommit = 0; END;
    CREATE FUNCTION quietly() RETURNS INT BEGIN SET SESSION sort_buffer_size = 700000; RETURN 7; END;";

/// What is left, what shows it, what that must say, and whether the connection serves on.
pub(crate) const LEFT: &[(&str, &str, &str, bool)] = &[
    (
        "SET SESSION sort_buffer_size = 700000",
        "SELECT CAST(@@sort_buffer_size <> 700000 AS CHAR)",
        "1",
        false,
    ),
    (
        "SET autocommit = 0",
        "SELECT IF(@@autocommit, '1', '0')",
        "1",
        false,
    ),
    (
        "SET SESSION TRANSACTION READ ONLY",
        "SELECT IF(@@tx_read_only, '1', '0')",
        "0",
        false,
    ),
    (
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT CAST(@@tx_isolation AS CHAR)",
        "REPEATABLE-READ",
        false,
    ),
    (
        "SET sql_mode = ''",
        "SELECT CAST(@@sql_mode <> '' AS CHAR)",
        "1",
        false,
    ),
    (
        "SET NAMES latin1",
        "SELECT CAST(@@character_set_client AS CHAR)",
        "utf8mb4",
        false,
    ),
    (
        "SET @seven = 7",
        "SELECT CAST(@seven IS NULL AS CHAR)",
        "1",
        false,
    ),
    (
        "SELECT 7 INTO @seven",
        "SELECT CAST(@seven IS NULL AS CHAR)",
        "1",
        false,
    ),
    (
        "CALL sets()",
        "SELECT CAST(@seven IS NULL AND @@sort_buffer_size <> 700000 AS CHAR)",
        "1",
        false,
    ),
    (
        "SELECT quietly()",
        "SELECT CAST(@@sort_buffer_size <> 700000 AS CHAR)",
        "1",
        false,
    ),
    (
        "CALL turns()",
        "SELECT IF(@@autocommit, '1', '0')",
        "1",
        false,
    ),
    (
        "EXECUTE IMMEDIATE 'SET @seven = 7'",
        "SELECT CAST(@seven IS NULL AS CHAR)",
        "1",
        false,
    ),
    (
        "CREATE TEMPORARY TABLE accounts (id INT)",
        "SELECT CAST(count(*) AS CHAR) FROM accounts",
        "10",
        false,
    ),
    (
        "CREATE TEMPORARY TABLE accounts SELECT 1 AS id",
        "SELECT CAST(count(*) AS CHAR) FROM accounts",
        "10",
        false,
    ),
    (
        "SET STATEMENT max_statement_time = 7 FOR CREATE TEMPORARY TABLE accounts (id INT)",
        "SELECT CAST(count(*) AS CHAR) FROM accounts",
        "10",
        false,
    ),
    (
        "IF 0 THEN SELECT 1; ELSE CREATE TEMPORARY TABLE accounts (id INT); END IF",
        "SELECT CAST(count(*) AS CHAR) FROM accounts",
        "10",
        false,
    ),
    (
        "SET STATEMENT max_statement_time = 7 FOR BEGIN NOT ATOMIC SET @seven = 7; END",
        "SELECT CAST(@seven IS NULL AS CHAR)",
        "1",
        false,
    ),
    (
        "SET STATEMENT max_statement_time = 7 FOR SET SESSION sort_buffer_size = 700000",
        "SELECT CAST(@@sort_buffer_size <> 700000 AS CHAR)",
        "1",
        false,
    ),
    (
        "CALL makes()",
        "SELECT IF(EXISTS (SELECT 1 FROM notes), '1', '0')",
        "0",
        false,
    ),
    (
        "USE mysql",
        "SELECT CAST(DATABASE() LIKE 't%' AS CHAR)",
        "1",
        false,
    ),
    (
        "PREPARE seven FROM 'SELECT 7'",
        "SELECT 'works'",
        "works",
        false,
    ),
    ("HANDLER accounts OPEN", "SELECT 'works'", "works", false),
    (
        "SET @seven = 7; FLUSH STATUS",
        "SELECT CAST(@seven IS NULL AS CHAR)",
        "1",
        false,
    ),
    (
        "SET SESSION sort_buffer_size = 700000; FLUSH STATUS",
        "SELECT CAST(@@sort_buffer_size <> 700000 AS CHAR)",
        "1",
        false,
    ),
    ("XA START 'seven'", "SELECT 'works'", "works", false),
    (
        "FLUSH TABLES notes WITH READ LOCK",
        "SELECT 'works'",
        "works",
        false,
    ),
    (
        "SELECT GET_LOCK('<here>', 0)",
        "SELECT CAST(IS_FREE_LOCK('<here>') AS CHAR)",
        "1",
        true,
    ),
    (
        "SELECT `GET_LOCK`('<here>', 0)",
        "SELECT CAST(IS_FREE_LOCK('<here>') AS CHAR)",
        "1",
        true,
    ),
    (
        "LOCK TABLES accounts WRITE",
        "SELECT CAST(count(*) AS CHAR) FROM notes",
        "0",
        true,
    ),
    (
        "BEGIN; UPDATE accounts SET cents = 0",
        "SELECT CAST(sum(cents) AS CHAR) FROM accounts",
        "10000",
        true,
    ),
    (
        "CREATE TABLE IF NOT EXISTS lasting (id INT); DROP TABLE lasting",
        "SELECT 'works'",
        "works",
        true,
    ),
    (
        "INSERT INTO accounts VALUES (77, 7); DELETE FROM accounts WHERE id = 77; SHOW TABLES; DO SLEEP(0)",
        "SELECT 'works'",
        "works",
        true,
    ),
];

#[tokio::test]
async fn nothing_of_it_is_found() {
    let place = Place::new().await;
    sqlx::raw_sql(PROCEDURES)
        .execute(&place.plain)
        .await
        .unwrap();
    let pool = place.pool(1).await;
    for (left, look, clean, stays) in LEFT {
        let (left, look) = (
            left.replace("<here>", &place.name),
            look.replace("<here>", &place.name),
        );
        for how in ENDS {
            let opened = pool.stats().opened;
            let mut lease = pool.acquire().await.unwrap();
            lease
                .execute(sql(&left))
                .await
                .unwrap_or_else(|error| panic!("{left}: {error}"));
            let shown = sqlx::raw_sql(sql(&look)).fetch_one(&mut *lease).await;
            let shown = shown.and_then(|row| row.try_get::<String, _>(0));
            if *clean != "works" && left != "CALL makes()" {
                assert_ne!(
                    shown.ok().as_deref(),
                    Some(*clean),
                    "{left} leaves what {look} shows"
                );
            }
            let id: u64 = sqlx::query_scalar("SELECT CONNECTION_ID()")
                .fetch_one(&mut *lease)
                .await
                .unwrap();
            // In whatever database by now.
            let runs = eventually("the slow statement runs", || async {
                let found = sqlx::query_scalar(
                    "SELECT count(*) > 0 FROM information_schema.processlist WHERE id = ? AND state = 'User sleep'",
                );
                found.bind(id).fetch_one(&place.plain).await.unwrap()
            });
            end(&pool, lease, how, runs, async |lease| {
                drop(lease.execute(SLOW).await)
            })
            .await;
            let shown: String = sqlx::query_scalar(sql(&look))
                .fetch_one(&pool)
                .await
                .unwrap();
            assert_eq!(shown, *clean, "{left}, {how}");
            let hidden: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM hidden")
                .fetch_one(&pool)
                .await;
            assert!(hidden.is_err(), "{left}, {how}: a temporary table");
            if *stays {
                assert_eq!(
                    pool.stats().opened,
                    opened,
                    "{left}, {how}: cleaned, not closed"
                );
            }
            assert_eq!(place.total().await, 10_000, "{left}, {how}");
            // Nobody is locked out.
            sqlx::query("UPDATE notes SET body = body")
                .execute(&place.plain)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn where_after_connect_has_made_what_cannot_be_watched_it_is_closed() {
    let place = Place::new().await;
    let pool = place
        .builder(1)
        .after_connect(|connection| {
            Box::pin(async move {
                connection.execute("SET @mine = 5").await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    let mut lease = pool.acquire().await.unwrap();
    lease.execute("SELECT 7 INTO @mine").await.unwrap();
    pool.release(lease).await.unwrap();
    let mine: i64 = sqlx::query_scalar("SELECT CAST(@mine AS SIGNED)")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!((mine, pool.stats().opened), (5, 2));
}
