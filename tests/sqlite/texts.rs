//! Texts of one statement, of several, and of none that SQLite can end to read.

use sqlx::SqlSafeStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use steadfast::{Category, Outcome, retry};

use super::*;

/// One statement each, whatever semicolons are in it.
const SINGLE: [&str; 8] = [
    "INSERT INTO notes VALUES (1, 'a;b')",
    "INSERT INTO notes VALUES (2, 'two');",
    "INSERT INTO notes VALUES (3, 'three'); -- and; a note",
    "INSERT INTO notes VALUES (4, 'four') /* ; */ ;\n;",
    "INSERT INTO notes SELECT 5, \"five;\" FROM (SELECT 'five' AS \"five;\")",
    "INSERT INTO notes SELECT 6, [six;] FROM (SELECT 'six' AS [six;])",
    "CREATE TRIGGER one AFTER DELETE ON notes BEGIN DELETE FROM accounts; SELECT 1; END",
    "CREATE TEMP TRIGGER two AFTER DELETE ON notes BEGIN SELECT CASE WHEN 1 THEN ';' END; END;",
];

#[tokio::test]
async fn a_single_statement_is_run_again_whatever_semicolons_it_holds() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for (index, text) in SINGLE.into_iter().enumerate() {
        let mut foreign = foreign(&place.url.parse().unwrap(), "BEGIN IMMEDIATE").await;
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move {
                match index % 2 {
                    0 => sqlx::raw_sql(text).execute(&pool).await.map(drop),
                    _ => sqlx::query(text).fetch_optional(&pool).await.map(drop),
                }
            }
        });
        if !text.contains("TEMP") {
            refused_and_waiting(&waiting).await;
        }
        foreign.execute("COMMIT").await.unwrap();
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(place.count("notes").await, 6);
    assert_eq!(place.count("sqlite_schema WHERE type = 'trigger'").await, 1);
}

#[tokio::test]
async fn a_text_whose_first_part_is_refused_has_done_nothing_and_is_run_again() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for way in ["execute", "fetch_optional"] {
        let mut foreign = foreign(&place.url.parse().unwrap(), "BEGIN IMMEDIATE").await;
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move {
                let text =
                    "INSERT INTO notes VALUES (1, 'one'); INSERT INTO notes VALUES (2, 'two')";
                match way {
                    "execute" => sqlx::raw_sql(text).execute(&pool).await.map(drop),
                    _ => sqlx::raw_sql(text).fetch_optional(&pool).await.map(drop),
                }
            }
        });
        refused_and_waiting(&waiting).await;
        foreign.execute("COMMIT").await.unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(ids(&mut foreign).await, [1, 2], "{way}");
        foreign.execute("DELETE FROM notes").await.unwrap();
    }
}

#[retry(fixed, base = "10ms", max = 3)]
async fn in_parts(pool: &Pool, attempts: &Arc<AtomicU32>) -> Result<(), sqlx::Error> {
    attempts.fetch_add(1, SeqCst);
    sqlx::raw_sql("INSERT INTO notes VALUES (NULL, 'one'); INSERT INTO other.notes VALUES (2, 'two'); INSERT INTO notes VALUES (NULL, 'three')")
        .execute(pool)
        .await?;
    Ok(())
}

/// The second part is kept out by a lock on another file, so the first is done for certain.
#[tokio::test]
async fn a_text_that_is_refused_in_the_middle_is_in_doubt_and_not_retried() {
    let (place, other) = (Place::new().await, Place::new().await);
    sqlx::raw_sql("DROP TABLE notes; CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")
        .execute(&place.plain)
        .await
        .unwrap();
    let attach = format!("ATTACH '{}' AS other", other.name);
    let pool = place
        .builder(1)
        .after_connect(move |connection| {
            let attach = attach.clone();
            Box::pin(async move {
                connection.execute(sqlx::AssertSqlSafe(attach)).await?;
                Ok(())
            })
        })
        .connect()
        .await
        .unwrap();
    let mut foreign = foreign(&other.url.parse().unwrap(), "BEGIN IMMEDIATE").await;
    let attempts = Arc::default();
    let error = Error::from(in_parts(&pool, &attempts).await.unwrap_err());
    assert_eq!(
        (error.category(), error.outcome(), error.is_retryable()),
        (Category::Conflict, Outcome::Unknown, false),
        "{error}"
    );
    assert_eq!(attempts.load(SeqCst), 1);
    let stats = stats("texts::in_parts");
    assert_eq!((stats.started, stats.unknown), (1, 1), "{stats:?}");
    foreign.execute("ROLLBACK").await.unwrap();
    let there: Vec<String> = sqlx::query_scalar("SELECT body FROM notes")
        .fetch_all(&place.plain)
        .await
        .unwrap();
    assert_eq!(
        there,
        ["one"],
        "once, and nothing behind the part that was refused"
    );
    assert_eq!(other.count("notes").await, 0);
}

const WITH_NUL: [&str; 3] = [
    "SELECT 1;\0 SELECT 2",
    "INSERT INTO notes VALUES (9, 'nine\0')",
    "\0",
];

/// sqlx would ask SQLite for what follows it for ever, on the connection's thread: there is no half of this test that
/// shows it, for nothing would end that thread.
macro_rules! refuses_nul {
    ($executor:expr) => {
        for text in WITH_NUL {
            let refused = [
                sqlx::query(text).execute($executor).await.map(drop),
                sqlx::query(text).fetch_optional($executor).await.map(drop),
                sqlx::raw_sql(text).fetch_all($executor).await.map(drop),
                sqlx::Executor::prepare($executor, text.into_sql_str())
                    .await
                    .map(drop),
                sqlx::Executor::describe($executor, text.into_sql_str())
                    .await
                    .map(drop),
            ];
            for refused in refused {
                let error = Error::from(refused.unwrap_err());
                assert_eq!(error.category(), Category::Programming, "{error}");
                assert!(error.to_string().contains("NUL"), "{error}");
            }
        }
    };
}

#[with_session(timeout = "10s")]
async fn nul_in_between(session: &mut Session) -> Result<(), Error> {
    write(&mut *session, 1).await?;
    refuses_nul!(&mut *session);
    sqlx::query("INSERT INTO notes VALUES (2, $1)")
        .bind("a\0b")
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_nul_in_a_text_is_refused_and_nothing_hangs() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    tokio::time::timeout(PATIENCE, async {
        refuses_nul!(&pool);
        nul_in_between(&pool).await.unwrap();
        write(&pool, 3).await.unwrap();
    })
    .await
    .expect("it answers at once");
    assert_eq!(pool.stats().opened, 1, "the connection serves on");
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM notes ORDER BY id")
        .fetch_all(&place.plain)
        .await
        .unwrap();
    assert_eq!(
        bodies,
        ["note 1", "a\0b", "note 3"],
        "as a value it is welcome"
    );
    assert_eq!(place.open_transactions().await, 0);
}
