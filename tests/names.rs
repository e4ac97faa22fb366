//! Names from outside, as bad as they come: nothing of them is ever read as SQL. There are no others: savepoints and
//! the ledger's tokens are named by us, an isolation level is an enum, and a pool has no name.

each_database! {
    use fastrand::Rng;
    use steadfast::{Error, RetryPolicy};

    const NAMES: &[&str] = &[
        "", "'", "''", "\\", "\\'", "\\\\'", "\"", "`", ";", "\0", "a\0b", "\n", "\r\n-- ", "/*", "*/", "$$", "$1", "%s", "{}", "ß", "\u{202e}",
        "'; DROP TABLE notes; --",
        "\\'; DROP TABLE notes; --",
        "'; COMMIT; DELETE FROM notes; BEGIN; SELECT '",
        "E'\\'; ROLLBACK; --",
        "/*! ; DELETE FROM notes */",
        "$$; DELETE FROM notes; $$",
        // Cut short, it must not end in half an escape.
        "0123456789012345678901234567890123456789012345678901234567\\\\\\\\'''''''",
    ];

    /// How PostgreSQL shows an operation and the id of its session, without what may follow 63 bytes.
    fn shown(name: &str, id: u64) -> String {
        let id = format!("#{id}");
        let readable = name.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
        readable.take(63 - id.len()).chain(id.chars()).collect()
    }

    async fn run(pool: &Pool, name: &'static str, row: i64) -> Result<u64, Error> {
        pool.operation(name).retry(RetryPolicy::immediate().max(2).verify_commit()).run(async |session: &mut Session| {
            note(&mut *session, row).await?;
            if NAME == "postgres" {
                let seen: String = sqlx::query_scalar("SELECT current_setting('application_name')").fetch_one(&mut *session).await?;
                assert_eq!(seen, shown(name, session.id()), "{name:?}");
            }
            let nested = session.savepoint(async |session| Ok::<_, Error>(note(session, row).await?)).await;
            assert!(nested.is_err(), "the row is there already");
            Ok(session.id())
        }).await
    }

    /// Every one of them does its work, and no more than that.
    async fn assert_harmless(pool: &Pool, place: &Place, names: impl IntoIterator<Item = &'static str>) {
        let mut rows = place.count("notes").await;
        for name in names {
            rows += 1;
            if let Err(error) = run(pool, name, rows).await {
                panic!("{:?}: {error}", name.get(..80).unwrap_or(name));
            }
            assert_eq!(place.count("notes").await, rows, "{name:?}");
            assert_quiet(pool);
        }
        assert_eq!(place.open_transactions().await, 0);
    }

    #[tokio::test]
    async fn of_operations() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        assert_harmless(&pool, &place, NAMES.iter().copied()).await;
        let long = ["'".repeat(1 << 20), "\\".repeat((1 << 20) + 1), "ü'".repeat(1 << 19)];
        assert_harmless(&pool, &place, long.map(|name| &*name.leak())).await;
    }

    /// Whatever a backslash and a quote mean there.
    #[tokio::test]
    async fn of_operations_under_other_settings_of_strings() {
        let settings: &[&str] = match NAME {
            "postgres" => &["standard_conforming_strings = off", "backslash_quote = off", "quote_all_identifiers = on"],
            "mysql" => &["sql_mode = 'NO_BACKSLASH_ESCAPES'", "sql_mode = 'ANSI_QUOTES'", "NAMES gbk"],
            _ => &[],
        };
        let place = Place::new().await;
        for setting in settings {
            let pool = place.builder(1).after_connect(move |connection| Box::pin(async move {
                let set = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SET {setting}")));
                sqlx::Executor::execute(connection, set).await.map(drop)
            }));
            let pool = pool.connect().await.unwrap();
            pool.install().await.unwrap();
            assert_harmless(&pool, &place, NAMES.iter().copied()).await;
        }
    }

    #[tokio::test]
    async fn of_operations_at_random() {
        const SIGNS: &[char] = &['\'', '\\', '"', '`', '\0', '\n', ';', '-', '/', '*', '$', '#', '%', ' ', 'a', 'E', 'ß', '\u{10ffff}'];
        let seed = seed();
        println!("STEADFAST_SEED={seed}");
        let place = Place::new().await;
        let pool = place.pool(1).await;
        pool.install().await.unwrap();
        let mut chance = Rng::with_seed(seed);
        let names = (0..60).map(|_| {
            let name: String = (0..chance.usize(..90)).map(|_| SIGNS[chance.usize(..SIGNS.len())]).collect();
            &*name.leak()
        });
        assert_harmless(&pool, &place, names).await;
    }
}

mod of_schemas {
    use sqlx::{AssertSqlSafe, Executor as _};
    use steadfast::{Error, PgSession, PgSessionPool, retry, with_session};

    use crate::support::postgres::{Place, note};

    #[with_session]
    #[retry(immediate, max = 2, verify_commit)]
    async fn verified(session: &mut PgSession, row: i64) -> Result<(), Error> {
        note(session, row).await?;
        Ok(())
    }

    /// The ledger is addressed by the schema that it stands in.
    #[tokio::test]
    async fn the_ledger_is_found_in_each() {
        let place = Place::new().await;
        for (row, part) in [
            "'; DROP TABLE notes; --",
            "\"; DELETE FROM notes; --",
            "\\",
            "Ünder\n",
            "$$",
        ]
        .into_iter()
        .enumerate()
        {
            let schema = format!("{}{part}", place.name);
            let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
            place
                .plain
                .execute(sqlx::raw_sql(AssertSqlSafe(format!(
                    "CREATE SCHEMA {quoted}"
                ))))
                .await
                .unwrap();
            let path = format!("SET search_path = {quoted}, {}", place.name);
            let pool = PgSessionPool::builder()
                .primary(&place.url)
                .max_connections(1)
                .after_connect(move |connection| {
                    let path = path.clone();
                    Box::pin(async move {
                        connection
                            .execute(sqlx::raw_sql(AssertSqlSafe(path)))
                            .await
                            .map(drop)
                    })
                });
            let pool = pool.connect().await.unwrap();
            pool.install().await.unwrap();
            verified(&pool, row as i64).await.unwrap();
            let noted: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT count(*) FROM {quoted}.steadfast_ledger"
            )))
            .fetch_one(&place.plain)
            .await
            .unwrap();
            assert_eq!(
                (noted, place.count("notes").await),
                (1, row as i64 + 1),
                "{schema:?}"
            );
        }
    }
}
