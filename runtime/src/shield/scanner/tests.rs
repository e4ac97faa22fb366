mod calls;
mod lingering;
mod mysql;
mod random;
mod sqlite;

use super::*;

use Dialect::{MySql, Postgres, Sqlite};

const ALL: [Dialect; 3] = [Postgres, MySql, Sqlite];

fn refused(dialect: Dialect, sql: &str, prepared: bool) -> Option<&'static str> {
    scan(dialect, sql, prepared).map(|refusal| refusal.keyword)
}

#[track_caller]
fn refuses(dialects: &[Dialect], rows: &[(&str, &str)]) {
    for &dialect in dialects {
        for &(sql, keyword) in rows {
            for prepared in [true, false] {
                assert_eq!(
                    refused(dialect, sql, prepared),
                    Some(keyword),
                    "{dialect:?}, prepared: {prepared}: {sql}"
                );
            }
        }
    }
}

#[track_caller]
fn passes(dialects: &[Dialect], rows: &[&str]) {
    for &dialect in dialects {
        for sql in rows {
            for prepared in [true, false] {
                assert_eq!(
                    refused(dialect, sql, prepared),
                    None,
                    "{dialect:?}, prepared: {prepared}: {sql}"
                );
            }
        }
    }
}

/// Refused as text that is not prepared.
#[track_caller]
fn refuses_text(dialects: &[Dialect], rows: &[(&str, &str)]) {
    for &dialect in dialects {
        for &(sql, keyword) in rows {
            assert_eq!(
                refused(dialect, sql, false),
                Some(keyword),
                "{dialect:?}: {sql}"
            );
        }
    }
}

#[test]
fn transaction_words_are_refused_everywhere() {
    refuses(
        &ALL,
        &[
            ("BEGIN", "BEGIN"),
            ("begin;", "BEGIN"),
            ("bEgIn work", "BEGIN"),
            ("COMMIT", "COMMIT"),
            ("commit and chain", "COMMIT"),
            ("ROLLBACK", "ROLLBACK"),
            ("ROLLBACK WORK", "ROLLBACK"),
            ("ROLLBACK TO a", "ROLLBACK TO"),
            ("rollback to savepoint a", "ROLLBACK TO"),
            ("ROLLBACK TRANSACTION TO SAVEPOINT a", "ROLLBACK TO"),
            ("ROLLBACK /* x */ WORK TO a", "ROLLBACK TO"),
            ("SAVEPOINT a", "SAVEPOINT"),
            ("SAVEPOINT\"a\"", "SAVEPOINT"),
            ("RELEASE SAVEPOINT a", "RELEASE"),
            (" \t\r\n\x0c\x0bCOMMIT", "COMMIT"),
            (";;; ;COMMIT", "COMMIT"),
            ("-- a comment\nCOMMIT", "COMMIT"),
            ("/* a comment */COMMIT", "COMMIT"),
            ("/**/COMMIT", "COMMIT"),
            ("/* ' */ -- \" \n ; /***/ COMMIT", "COMMIT"),
            ("COMMIT--", "COMMIT"),
            ("COMMIT/*", "COMMIT"),
        ],
    );
    refuses(
        &[Postgres, MySql],
        &[("START TRANSACTION READ ONLY", "START TRANSACTION")],
    );
    refuses(
        &[Postgres, Sqlite],
        &[("END", "END"), ("end transaction;", "END")],
    );
}

#[test]
fn ordinary_statements_pass_everywhere() {
    passes(
        &ALL,
        &[
            "",
            ";",
            " -- only a comment",
            "/* not closed",
            "SELECT 1",
            "SELECT 1;",
            "SELECT 1; ",
            "(SELECT 1)",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "INSERT INTO savepoint_log VALUES (1)",
            "UPDATE commits SET commit_id = 1",
            "beginning",
            "commit_log",
            "COMMITé",
            "$1",
            "-- COMMIT\nSELECT 1",
            "/* COMMIT; */ SELECT 1",
            "SELECT '; COMMIT'",
            "SELECT 'it''s; COMMIT; '; SELECT 2",
            "SELECT 1 -- ; COMMIT",
            "SELECT 1 /* ; COMMIT; */; SELECT 2",
            "VALUES (1); -- ;\n;",
            "SELECT 'not closed; COMMIT",
        ],
    );
    passes(
        &[Postgres, Sqlite],
        &[
            "SELECT \"; COMMIT; \"",
            "VACUUM",
            "CREATE TABLE a (b int)",
            "ANALYZE",
        ],
    );
    passes(&[MySql], &["START_DATE", "ENDING", "END", "TRUNCATE(1, 2)"]);
    passes(
        &[Sqlite],
        &[
            "ATTACH 'a' AS b",
            "DETACH b",
            "PRAGMA journal_mode = WAL",
            "EXPLAIN COMMIT",
        ],
    );
}

#[test]
fn a_later_statement_is_found_unless_the_text_is_a_single_one() {
    let text = "SELECT 1; COMMIT";
    assert_eq!(
        refused(Postgres, text, true),
        None,
        "the server takes one statement only"
    );
    assert_eq!(
        refused(MySql, text, true),
        None,
        "the server takes one statement only"
    );
    assert_eq!(
        refused(Sqlite, text, true),
        Some("COMMIT"),
        "the driver runs them all"
    );
    refuses_text(
        &ALL,
        &[
            (text, "COMMIT"),
            ("SELECT 1;COMMIT", "COMMIT"),
            ("SELECT 1;;; /* */ ; -- x\n COMMIT", "COMMIT"),
            ("SELECT 'it''s'; COMMIT", "COMMIT"),
            ("SELECT ';'; ROLLBACK", "ROLLBACK"),
            ("(SELECT 1); COMMIT", "COMMIT"),
            ("SELECT 1; (SELECT 2); SAVEPOINT a", "SAVEPOINT"),
            ("SELECT a.commit FROM a; COMMIT", "COMMIT"),
            ("SELECT 1 /* ' */; COMMIT", "COMMIT"),
            ("SELECT 1 -- '\n; COMMIT", "COMMIT"),
            ("SELECT 1 - -1; COMMIT", "COMMIT"),
            ("SELECT 1/2*3; COMMIT", "COMMIT"),
            ("SELECT é; COMMIT", "COMMIT"),
            ("SELECT a$b$, c$b$; COMMIT", "COMMIT"),
            ("SELECT e; COMMIT", "COMMIT"),
        ],
    );
}

#[test]
fn postgres_reads_its_own_literals() {
    refuses(
        &[Postgres],
        &[
            ("PREPARE TRANSACTION 'a'", "PREPARE TRANSACTION"),
            ("COMMIT PREPARED 'a'", "COMMIT PREPARED"),
            ("ROLLBACK PREPARED 'a'", "ROLLBACK PREPARED"),
            ("ABORT", "ABORT"),
            ("/* /* nested */ */ COMMIT", "COMMIT"),
            ("-- x\rCOMMIT", "COMMIT"),
        ],
    );
    passes(
        &[Postgres],
        &[
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET LOCAL lock_timeout = 5",
            "PREPARE a AS SELECT 1",
            "EXECUTE a",
            "CALL begin()",
            "DO $$ BEGIN COMMIT; END $$",
            "LOCK TABLE a",
            "/* /* */ COMMIT; */ SELECT 1",
            "SELECT $$; COMMIT; $$",
            "SELECT $a$; COMMIT; $$ $b$ ; COMMIT; $a$; SELECT 2",
            "SELECT E'\\'; COMMIT; --'",
            "SELECT e'a\\\\'; SELECT ';COMMIT'",
            "SELECT E'a' -- x\n '\\'; COMMIT; '",
            "SELECT '\\'; SELECT ';COMMIT;'",
            "SELECT U&'\\0061'';COMMIT;'",
            "SELECT \"a\"\"; COMMIT; \"",
        ],
    );
    refuses_text(
        &[Postgres],
        &[
            ("SELECT '\\'; COMMIT; --'", "COMMIT"),
            ("SELECT E'\\\\'; COMMIT; --'", "COMMIT"),
            ("SELECT E'a' '\\'; COMMIT; --'", "COMMIT"),
            ("SELECT le'\\'; COMMIT; --'", "COMMIT"),
            ("SELECT $1; COMMIT", "COMMIT"),
            ("SELECT $1, $2$; COMMIT", "COMMIT"),
            ("SELECT $a$ ; $a$; COMMIT", "COMMIT"),
            ("SELECT $a$ $A$ $a$; COMMIT", "COMMIT"),
            ("SELECT a$a$; COMMIT; SELECT $a$", "COMMIT"),
            ("SELECT 1 # 2; COMMIT", "COMMIT"),
            ("SELECT `; COMMIT", "COMMIT"),
            ("SELECT a[1]; COMMIT; SELECT b[2]", "COMMIT"),
            ("SELECT 1 --\r; COMMIT", "COMMIT"),
        ],
    );
}

#[test]
fn postgres_functions_with_a_body_of_statements() {
    let body = "CREATE OR REPLACE FUNCTION a() RETURNS int LANGUAGE sql BEGIN ATOMIC \
                SELECT CASE WHEN true THEN 1 END; SELECT 2; END";
    passes(
        &[Postgres],
        &[body, "CREATE PROCEDURE a() BEGIN ATOMIC SELECT 1; END;"],
    );
    let after = format!("{body};; COMMIT");
    refuses_text(
        &[Postgres],
        &[
            (&after, "COMMIT"),
            (
                "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMIT",
                "COMMIT",
            ),
            (
                "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS $$SELECT 1;$$;; END",
                "END",
            ),
            (
                "CREATE FUNCTION a() RETURNS int LANGUAGE sql RETURN CASE WHEN true THEN 1 END; END",
                "END",
            ),
            ("CREATE TABLE a (b int); END", "END"),
        ],
    );
}

#[test]
fn sqlite_reads_its_own_names_and_triggers() {
    let trigger = "CREATE TEMP TRIGGER a AFTER INSERT ON b BEGIN \
                   UPDATE c SET d = CASE WHEN e THEN 1 END; DELETE FROM c; END";
    passes(
        &[Sqlite],
        &[
            trigger,
            &format!("{trigger};"),
            "EXPLAIN QUERY PLAN CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END;",
            "SELECT [; COMMIT; ]",
            "SELECT `; COMMIT; `",
            "SELECT '\\'; SELECT ';COMMIT;'",
            "\u{feff}SELECT 1",
        ],
    );
    refuses(
        &[Sqlite],
        &[
            (&format!("{trigger}; COMMIT"), "COMMIT"),
            (
                "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; END",
                "END",
            ),
            ("SELECT [']; COMMIT; SELECT [']", "COMMIT"),
            ("SELECT [a]]; COMMIT", "COMMIT"),
            ("SELECT /* /* */ 1; COMMIT", "COMMIT"),
            ("SELECT $a$; COMMIT; SELECT $a$", "COMMIT"),
            ("\u{feff}COMMIT", "COMMIT"),
            ("SELECT 1; \u{feff} COMMIT", "COMMIT"),
            ("BEGIN IMMEDIATE", "BEGIN"),
        ],
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    for (sql, way) in [
        ("BEGIN", "`savepoint`"),
        ("SAVEPOINT a", "`savepoint`"),
        ("ROLLBACK", "`set_rollback_only`"),
        ("DROP TABLE a", "`migrate`"),
    ] {
        let refusal = scan(MySql, sql, true).expect(sql);
        assert!(refusal.help.contains(way), "{sql}: {}", refusal.help);
        assert!(
            refusal
                .to_string()
                .starts_with(&format!("`{}` was not sent: ", refusal.keyword))
        );
    }
}
