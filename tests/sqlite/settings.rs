//! Two settings of a connection are the session's own: `query_only`, which tells readers from writers, and
//! `busy_timeout`, which blocks a thread. In whatever way they are assigned, that is refused before it is sent.

use sqlx::SqlSafeStr as _;
use steadfast::Category;

use super::*;

const SPELLINGS: [&str; 21] = [
    "PRAGMA query_only = 1",
    "pragma QUERY_ONLY=on",
    "PRAGMA query_only(1)",
    "PRAGMA query_only ( yes ) ;",
    "PRAGMA main.query_only = 1",
    "PRAGMA main . query_only = true",
    "PRAGMA \"query_only\" = 1",
    "PRAGMA [query_only] = 1",
    "PRAGMA `query_only` = 1",
    "PRAGMA 'query_only' = 1",
    "PRAGMA 'main'.'query_only' = 1",
    "PRAGMA \"main\".\"query_only\"(1)",
    "PRAGMA/**/query_only/* = 0 */=--\n1",
    "/* one */ -- two\n PRAGMA\nquery_only\n=\n1",
    "SELECT 1; PRAGMA query_only = 1",
    ";;PRAGMA query_only = 1",
    "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END; PRAGMA query_only = 1",
    "\u{a0}PRAGMA query_only = 1",
    "\u{feff}PRAGMA query_only = 1",
    "EXPLAIN PRAGMA query_only = 1",
    "EXPLAIN QUERY PLAN PRAGMA query_only = 1",
];

async fn asked(executor: impl sqlx::SqliteExecutor<'_>, setting: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA {setting}")))
        .fetch_one(executor)
        .await
        .unwrap()
}

#[tokio::test]
async fn sqlite_obeys_each_of_these_spellings() {
    for text in SPELLINGS {
        let place = Place::new().await;
        let mut plain = plain(&place.url.parse().unwrap()).await;
        sqlx::raw_sql(text).execute(&mut plain).await.unwrap();
        assert_eq!(asked(&mut plain, "query_only").await, 1, "{text}");
    }
}

#[tokio::test]
async fn sqlite_obeys_when_it_only_compiles() {
    let place = Place::new().await;
    let mut plain = plain(&place.url.parse().unwrap()).await;
    (&mut plain)
        .prepare("PRAGMA query_only = 1".into_sql_str())
        .await
        .unwrap();
    assert_eq!(asked(&mut plain, "query_only").await, 1);
}

#[track_caller]
fn is_refused<T>(refused: sqlx::Result<T>, text: &str) {
    let Err(error) = refused else {
        panic!("sent: {text}")
    };
    let error = Error::from(error);
    assert_eq!(error.category(), Category::Programming, "{text}: {error}");
    assert!(
        error.to_string().contains("was not sent"),
        "{text}: {error}"
    );
}

/// In every way in which a text can be sent.
macro_rules! all_ways {
    ($executor:expr, $text:expr) => {{
        let text: &'static str = $text;
        is_refused(sqlx::query(text).execute($executor).await, text);
        is_refused(sqlx::query(text).fetch_optional($executor).await, text);
        is_refused(sqlx::query(text).fetch_all($executor).await, text);
        is_refused(sqlx::raw_sql(text).execute($executor).await, text);
        is_refused(
            sqlx::Executor::prepare($executor, text.into_sql_str()).await,
            text,
        );
        is_refused(
            sqlx::Executor::describe($executor, text.into_sql_str()).await,
            text,
        );
    }};
}

#[with_session]
async fn assigns_and_writes(
    session: &mut Session,
    text: &'static str,
    id: i64,
) -> Result<(), Error> {
    assert_eq!(asked(&mut *session, "query_only").await, 0);
    all_ways!(&mut *session, text);
    assert_eq!(asked(&mut *session, "query_only").await, 0);
    write(&mut *session, id).await
}

#[with_session(read_only)]
async fn assigns_and_stays_read_only(
    session: &mut Session,
    text: &'static str,
) -> Result<(), Error> {
    assert_eq!(asked(&mut *session, "query_only").await, 1);
    all_ways!(&mut *session, text);
    assert_eq!(asked(&mut *session, "query_only").await, 1);
    let refused = sqlx::query("INSERT INTO notes VALUES (999, 'by a reader')")
        .execute(&mut *session)
        .await;
    assert_eq!(Error::from(refused.unwrap_err()).code(), Some("8"));
    Ok(())
}

#[tokio::test]
async fn whether_a_session_may_write_is_its_own_to_say() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for (id, on) in SPELLINGS.iter().copied().enumerate() {
        all_ways!(&pool, on);
        let id = id as i64;
        assigns_and_writes(&pool, on, 2 * id).await.unwrap();
        assigns_and_stays_read_only(&pool, "PRAGMA query_only = 0")
            .await
            .unwrap();
        assert_eq!(asked(&pool, "query_only").await, 0);
        write(&pool, 2 * id + 1).await.unwrap();
    }
    assert_eq!(place.count("notes").await, 2 * SPELLINGS.len() as i64);
    assert_eq!(pool.stats().opened, 1, "all of it on one connection");
}

#[tokio::test]
async fn how_long_sqlite_itself_waits_is_not_to_be_changed() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let before = asked(&pool, "busy_timeout").await;
    for text in [
        "PRAGMA busy_timeout = 60000",
        "PRAGMA busy_timeout(60000)",
        "PRAGMA main.'busy_timeout' = 60000",
        "SELECT 1; PRAGMA busy_timeout = 60000",
    ] {
        all_ways!(&pool, text);
        let mut session = pool.begin().await.unwrap();
        all_ways!(&mut session, text);
        session.commit().await.unwrap();
    }
    assert_eq!(asked(&pool, "busy_timeout").await, before);
    let mut plain = plain(&place.url.parse().unwrap()).await;
    plain
        .execute("PRAGMA main.'busy_timeout' = 60000")
        .await
        .unwrap();
    assert_eq!(
        asked(&mut plain, "busy_timeout").await,
        60_000,
        "a spelling that SQLite takes"
    );
}

#[tokio::test]
async fn other_settings_pass_and_texts_that_only_look_like_these() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for text in [
        "PRAGMA cache_size = -4000",
        "PRAGMA query_only",
        "PRAGMA main.busy_timeout;",
        "SELECT 'PRAGMA query_only = 1'",
        "SELECT 1 AS query_only, 2 AS \"busy_timeout = 3\"",
        "-- PRAGMA query_only = 1\nSELECT 1",
        "PRAGMA query_only; SELECT (1)",
    ] {
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
        let mut session = pool.begin().await.unwrap();
        sqlx::raw_sql(text).execute(&mut session).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(
        asked(&pool, "cache_size").await,
        -2000,
        "it ends with its session"
    );
}
