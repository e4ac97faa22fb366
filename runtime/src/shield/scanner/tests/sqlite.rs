use super::*;

use Dialect::{MySql, Postgres, Sqlite};

#[test]
fn settings_of_the_session_are_refused_in_every_spelling() {
    for (name, refused_as) in [
        ("query_only", "PRAGMA query_only"),
        ("QUERY_only", "PRAGMA query_only"),
        ("busy_timeout", "PRAGMA busy_timeout"),
    ] {
        for spelled in [
            name.to_owned(),
            format!("\"{name}\""),
            format!("'{name}'"),
            format!("[{name}]"),
            format!("`{name}`"),
            format!("main.{name}"),
            format!("main . {name}"),
            format!("temp.'{name}'"),
            format!("'main'.\"{name}\""),
            format!("/* {name} */ [other] -- =\n . {name}"),
        ] {
            for assigned in [
                " = 1",
                "=1",
                "(1)",
                " ( on );",
                "/**/=/**/0",
                "\n=\n0",
                "='off'",
            ] {
                for before in [
                    "PRAGMA ",
                    "pragma\t",
                    ";; /* x */ PRAGMA ",
                    "SELECT 1; PRAGMA ",
                    "PRAGMA query_only; PRAGMA ",
                    "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; PRAGMA ",
                    "\u{a0}\u{feff}PRAGMA ",
                    "EXPLAIN PRAGMA ",
                    "explain query plan PRAGMA ",
                ] {
                    let sql = format!("{before}{spelled}{assigned}");
                    for prepared in [true, false] {
                        assert_eq!(refused(Sqlite, &sql, prepared), Some(refused_as), "{sql}");
                        assert_eq!(
                            scan_autocommit(Sqlite, &sql, prepared).map(|refusal| refusal.keyword),
                            Some(refused_as),
                            "{sql}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn whoever_only_asks_or_means_another_setting_passes() {
    passes(
        &[Sqlite],
        &[
            "PRAGMA query_only",
            "PRAGMA main.query_only;",
            "PRAGMA 'busy_timeout'",
            "PRAGMA query_only; SELECT (1)",
            "PRAGMA query_only -- = 1",
            "PRAGMA cache_size = 1",
            "PRAGMA query_only.cache_size = 1",
            "PRAGMA query_only_not = 1",
            "PRAGMA xbusy_timeout(1)",
            "SELECT 'PRAGMA query_only = 1'",
            "SELECT query_only = 1, busy_timeout(1) FROM a",
            "EXPLAIN PRAGMA query_only",
            "CREATE TABLE pragma (query_only)",
        ],
    );
    for dialect in [Postgres, MySql] {
        assert_eq!(refused(dialect, "PRAGMA query_only = 1", false), None);
    }
}

/// A wrong guess costs a turn in the queue or a try, and no more.
#[test]
fn what_writes_is_known_by_its_first_word() {
    for sql in [
        "INSERT INTO a VALUES (1)",
        "/* x */ insert into a values (1); SELECT 1",
        ";;UPDATE a SET b = 1",
        "DELETE FROM a",
        "REPLACE INTO a VALUES (1)",
        "CREATE TABLE a (b)",
        "ALTER TABLE a RENAME TO b",
        "DROP TABLE a",
    ] {
        assert!(begins_with_write(Sqlite, sql), "{sql}");
        for dialect in [Postgres, MySql] {
            assert!(!begins_with_write(dialect, sql), "no queue there: {sql}");
        }
    }
    for sql in [
        "",
        ";",
        "SELECT 1",
        "SELECT 1; INSERT INTO a VALUES (1)",
        "WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a",
        "VALUES (1)",
        "EXPLAIN INSERT INTO a VALUES (1)",
        "PRAGMA user_version = 1",
        "'INSERT'",
    ] {
        assert!(!begins_with_write(Sqlite, sql), "{sql}");
    }
}
