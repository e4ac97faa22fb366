//! On PostgreSQL a setting decides whether a backslash in a string escapes what follows: a COMMIT must not hide behind
//! it, whichever way the session is set.

use sqlx::Executor as _;
use steadfast::{Category, Error};
use xtask::proxy::Proxy;

use crate::support::{assert_quiet, postgres::*};

/// With escapes a string and what commits; without, strings and nothing else.
const HIDES: [&str; 3] = [
    r"SELECT 'a\'' ; COMMIT --'",
    r"SELECT E'\'', 'a\''; COMMIT AND CHAIN --'",
    r"SELECT 'it\'s'; END; SELECT '\''",
];

/// Strings with backslashes as people write them: nothing hides in either reading.
const HARMLESS: [&str; 5] = [
    r"SELECT 'C:\temp'",
    r"SELECT 'a\\b', '\n'",
    r"SELECT E'it\'s' || E'\\'",
    r"SELECT '\\'; SELECT 'COMMIT'",
    r"SELECT 'commit\\; rollback\\', $$\'$$",
];

/// With escapes it has no end.
const WITHOUT_ESCAPES: &str = r"SELECT 'C:\'";

#[tokio::test]
async fn postgres_no_commit_hides_behind_a_backslash() {
    let place = Place::new().await;
    for text in HIDES {
        let mut plain = place.plain.acquire().await.unwrap();
        for sql in [
            "BEGIN",
            "SET LOCAL standard_conforming_strings = off",
            "INSERT INTO notes VALUES (9, 'plain')",
            text,
            "ROLLBACK",
        ] {
            plain.execute(sql).await.unwrap();
        }
        assert_eq!(place.count("notes").await, 1, "{text}: the fault happens");
        plain.execute("DELETE FROM notes").await.unwrap();
    }

    let proxy = Proxy::before(&place.url).unwrap();
    let pool = Pool::builder()
        .primary(proxy.url())
        .max_connections(1)
        .connect()
        .await
        .unwrap();
    for text in HIDES {
        let mut session = pool.begin().await.unwrap();
        session
            .execute("SET LOCAL standard_conforming_strings = off")
            .await
            .unwrap();
        session
            .execute("INSERT INTO notes VALUES (1, 'one')")
            .await
            .unwrap();
        proxy.reset();
        let answer = sqlx::raw_sql(text).execute(&mut session).await;
        let sent: Vec<_> = proxy.sent();
        assert!(
            sent.is_empty(),
            "{text}: refused before it is sent: {sent:?}"
        );
        let error = Error::from(answer.unwrap_err());
        assert_eq!(error.category(), Category::Programming, "{text}: {error}");
        // The session is well.
        session
            .execute("INSERT INTO notes VALUES (2, 'two')")
            .await
            .unwrap();
        session.rollback().await.unwrap();
        assert_quiet(&pool);
        assert_eq!(place.count("notes").await, 0, "{text}");
    }
}

#[tokio::test]
async fn postgres_strings_with_backslashes_pass() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    for setting in ["on", "off"] {
        let mut session = pool.begin().await.unwrap();
        let set = format!("SET LOCAL standard_conforming_strings = {setting}");
        session.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
        let only_without = (setting == "on").then_some(WITHOUT_ESCAPES);
        for text in HARMLESS.into_iter().chain(only_without) {
            sqlx::raw_sql(text)
                .execute(&mut session)
                .await
                .unwrap_or_else(|error| panic!("{setting}: {text}: {error}"));
        }
        session
            .execute("INSERT INTO notes VALUES (1, 'one')")
            .await
            .unwrap();
        session.rollback().await.unwrap();
        assert_eq!(place.count("notes").await, 0, "{setting}");
    }
}
