use super::*;

/// Each was seen to commit on `MariaDB` 10.11, or stands in the manual of `MySQL` 8.4.
const COMMITS: &[(&str, &str)] = &[
    ("CREATE TABLE a (b int)", "CREATE"),
    ("CREATE OR REPLACE TABLE a (b int)", "CREATE"),
    ("CREATE TEMPORARY SEQUENCE a", "CREATE"),
    ("CREATE USER a", "CREATE"),
    (
        "CREATE DEFINER = a@b PROCEDURE c() BEGIN COMMIT; END",
        "CREATE",
    ),
    ("ALTER TABLE a ADD b int", "ALTER"),
    ("DROP TABLE a", "DROP"),
    ("DROP INDEX a ON b", "DROP"),
    ("TRUNCATE a", "TRUNCATE"),
    ("TRUNCATE TABLE a", "TRUNCATE"),
    ("RENAME TABLE a TO b", "RENAME"),
    ("GRANT SELECT ON a.* TO b", "GRANT"),
    ("REVOKE SELECT ON a.* FROM b", "REVOKE"),
    ("ANALYZE TABLE a", "ANALYZE TABLE"),
    ("ANALYZE LOCAL TABLE a", "ANALYZE TABLE"),
    ("ANALYZE NO_WRITE_TO_BINLOG TABLE a", "ANALYZE TABLE"),
    ("CHECK VIEW a", "CHECK TABLE"),
    ("OPTIMIZE TABLES a", "OPTIMIZE TABLE"),
    ("REPAIR TABLE a", "REPAIR TABLE"),
    ("FLUSH STATUS", "FLUSH"),
    ("RESET MASTER", "RESET"),
    ("CACHE INDEX a IN b", "CACHE INDEX"),
    ("LOAD INDEX INTO CACHE a", "LOAD INDEX INTO CACHE"),
    ("IMPORT TABLE FROM 'a'", "IMPORT TABLE"),
    ("INSTALL SONAME 'a'", "INSTALL"),
    ("UNINSTALL PLUGIN a", "UNINSTALL"),
    ("START REPLICA", "START"),
    ("STOP SLAVE", "STOP"),
    ("CHANGE MASTER TO a = 1", "CHANGE"),
    ("CHANGE REPLICATION SOURCE TO a = 1", "CHANGE"),
    ("CLONE LOCAL DATA DIRECTORY 'a'", "CLONE"),
    ("SET PASSWORD = 'a'", "SET PASSWORD"),
    ("SET DEFAULT ROLE a", "SET DEFAULT ROLE"),
    (
        "SET STATEMENT max_statement_time = 1 FOR CREATE TABLE a (b int)",
        "CREATE",
    ),
    ("/*!40101 CREATE */ /*M!100100 TABLE */ a (b int)", "CREATE"),
    ("CREATE /*!80000 TABLE */ a (b int)", "CREATE"),
];

fn hides(sql: &str, prepared: bool) -> bool {
    Effects::of(MySql, sql, prepared).hides
}

/// Each commits, or not, by the version of the server.
#[test]
fn a_comment_that_may_be_code_is_read_both_ways() {
    for (sql, runs, skips) in [
        (
            "/*!99999 SELECT */ ALTER TABLE a ADD b int",
            None,
            Some("ALTER"),
        ),
        ("/*!99999 x */ COMMIT", None, Some("COMMIT")),
        (
            "/*M!99999\\- x */ CREATE TABLE a (b int)",
            None,
            Some("CREATE"),
        ),
        ("/*! COMMIT */", Some("COMMIT"), None),
        ("SELECT /*!40001 SQL_NO_CACHE */ 1", None, None),
    ] {
        assert_eq!(refused(MySql, sql, true), runs, "{sql}");
        let skipped = scan_without_code(sql, true, true);
        assert_eq!(skipped.map(|refusal| refusal.keyword), skips, "{sql}");
        assert!(hides(sql, true), "{sql}");
    }
    assert!(!hides("SELECT a != 1 /* b! */", true));
}

/// A single statement of these holds locks that outlive it.
#[test]
fn locks_of_tables_are_refused_outside_of_a_transaction_too() {
    for sql in [
        "FLUSH TABLES a WITH READ LOCK",
        "FLUSH NO_WRITE_TO_BINLOG TABLES WITH READ LOCK",
        "FLUSH TABLES a, b FOR EXPORT",
        "BACKUP LOCK a",
        "BACKUP STAGE START",
        "HANDLER a OPEN",
    ] {
        for prepared in [true, false] {
            assert!(scan_autocommit(MySql, sql, prepared).is_some(), "{sql}");
            assert!(scan(MySql, sql, prepared).is_some(), "{sql}");
        }
    }
    assert!(scan_autocommit(MySql, "FLUSH TABLES a", true).is_none());
}

/// What they run is decided by a setting.
#[test]
fn what_another_mode_reads_in_another_way_hides() {
    assert!(hides("SELECT '\\'; COMMIT; -- '", false));
    // One statement, whichever way it is read.
    assert!(!hides("SELECT '\\'; COMMIT; -- '", true));
    assert!(!hides("SELECT a LIKE b ESCAPE '\\\\';", false));
    assert!(hides(
        "DECLARE a INT; BEGIN EXECUTE IMMEDIATE 'COMMIT'; END",
        true
    ));
    assert_eq!(
        refused(MySql, "DECLARE a INT; BEGIN COMMIT; END", true),
        Some("COMMIT")
    );
    assert!(!hides("SELECT '\\n'", false));
}

#[test]
fn what_commits_by_itself_is_refused_in_a_transaction_only() {
    refuses(&[MySql], COMMITS);
    for &(sql, _) in COMMITS {
        for prepared in [true, false] {
            assert_eq!(scan_autocommit(MySql, sql, prepared), None, "{sql}");
        }
    }
}

#[test]
fn what_ends_or_shapes_the_transaction_is_refused() {
    let rows = [
        ("XA START 'a'", "XA"),
        ("LOCK TABLES a READ", "LOCK TABLES"),
        ("LOCK TABLE a WRITE", "LOCK TABLES"),
        ("UNLOCK TABLES", "UNLOCK TABLES"),
        ("SET autocommit = 1", "SET autocommit"),
        ("SET @@autocommit = 0", "SET autocommit"),
        ("SET @@session.autocommit := 0", "SET autocommit"),
        ("SET LOCAL AUTOCOMMIT=ON", "SET autocommit"),
        ("SET `autocommit` = 1", "SET autocommit"),
        ("SET a = 1, autocommit = 1", "SET autocommit"),
        ("SET @a = @@autocommit, autocommit = 1", "SET autocommit"),
        ("SET/**/autocommit/**/=1", "SET autocommit"),
        ("SET completion_type = 'CHAIN'", "SET completion_type"),
        ("SET STATEMENT max_statement_time = 1 FOR COMMIT", "COMMIT"),
        ("/*! COMMIT */", "COMMIT"),
        ("/*!COMMIT*/", "COMMIT"),
        ("/*!50000COMMIT*/", "COMMIT"),
        ("/*!100100COMMIT*/", "COMMIT"),
        ("/*M! COMMIT */", "COMMIT"),
        ("# a comment\nCOMMIT", "COMMIT"),
        ("--\tx\nCOMMIT", "COMMIT"),
    ];
    refuses(&[MySql], &rows);
    for (sql, keyword) in rows {
        let refusal = scan_autocommit(MySql, sql, true).map(|refusal| refusal.keyword);
        assert_eq!(refusal, Some(keyword), "{sql}");
    }
}

#[test]
fn what_only_looks_like_it_passes() {
    passes(
        &[MySql],
        &[
            "CREATE TEMPORARY TABLE a (b int)",
            "CREATE OR REPLACE TEMPORARY TABLE a (b int)",
            "CREATE /*!32302 TEMPORARY */ TABLE a (b int)",
            "DROP TEMPORARY TABLE a",
            "DROP PREPARE a",
            "ANALYZE SELECT * FROM a",
            "ANALYZE FORMAT=JSON SELECT 1",
            "CHECKSUM TABLE a",
            "LOAD DATA INFILE 'a' INTO TABLE b",
            "RESET PERSIST",
            "LOCK INSTANCE FOR BACKUP",
            "UNLOCK INSTANCE",
            "SET TRANSACTION READ ONLY",
            "SET NAMES utf8mb4",
            "SET @autocommit = 1",
            "SET @a = @@autocommit",
            "SET @a = 'autocommit = 1'",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "SELECT 1 # ; COMMIT",
            "SELECT 'it\\'s; COMMIT; '",
            "SELECT \"; COMMIT; \\\"; COMMIT; \"",
            "SELECT \"it's\"; SELECT ';COMMIT'",
            "SELECT `;COMMIT;`",
            "SELECT /*+ MAX_EXECUTION_TIME(1) */ 1",
            "SELECT /*!80000 1 + */ 1; SELECT 2",
            "DO 1",
            "CALL commit_all()",
        ],
    );
}

#[test]
fn a_later_statement_is_found_behind_its_own_literals() {
    refuses_text(
        &[MySql],
        &[
            ("SELECT 'it\\\\'; COMMIT; --'", "COMMIT"),
            ("SELECT \"a\\\\\"; COMMIT", "COMMIT"),
            ("SELECT 1 --1; COMMIT", "COMMIT"),
            ("SELECT 2*/*'*/3; COMMIT", "COMMIT"),
            ("SELECT /* /* */ 1; COMMIT", "COMMIT"),
            ("SELECT `\\`; COMMIT; SELECT `a`", "COMMIT"),
            ("SELECT $a$; COMMIT; SELECT $a$", "COMMIT"),
            ("SELECT 1 /*! ; COMMIT */", "COMMIT"),
            ("SELECT 1 /*! */ ; COMMIT", "COMMIT"),
            ("SELECT 1; DROP TABLE a", "DROP"),
            ("SELECT 1; END; START TRANSACTION", "START TRANSACTION"),
        ],
    );
}

#[test]
fn compounds_are_read_to_their_end_even_when_prepared() {
    refuses(
        &[MySql],
        &[
            ("BEGIN NOT ATOMIC COMMIT; END", "COMMIT"),
            (
                "BEGIN NOT ATOMIC BEGIN SELECT 1; ROLLBACK; END; END",
                "ROLLBACK",
            ),
            ("BEGIN NOT ATOMIC BEGIN COMMIT; END; END", "COMMIT"),
            ("IF 1 THEN COMMIT; END IF", "COMMIT"),
            ("IF 1 THEN SELECT 1; ELSE DROP TABLE a; END IF", "DROP"),
            ("WHILE 1 DO COMMIT; END WHILE", "COMMIT"),
            ("FOR i IN 1..2 DO COMMIT; END FOR", "COMMIT"),
            ("LOOP COMMIT; END LOOP", "COMMIT"),
            ("REPEAT COMMIT; UNTIL 1 END REPEAT", "COMMIT"),
            ("a: LOOP COMMIT; END LOOP", "COMMIT"),
            ("CASE 1 WHEN 1 THEN COMMIT; END CASE", "COMMIT"),
            ("BEGIN NOT ATOMIC SELECT 1; END; COMMIT", "COMMIT"),
        ],
    );
    passes(
        &[MySql],
        &[
            "BEGIN NOT ATOMIC SELECT 1; END",
            "BEGIN NOT ATOMIC BEGIN SELECT 1; END; END",
            "IF 1 THEN SELECT TRUNCATE(1, 2); END IF",
            "CASE 1 WHEN 1 THEN SELECT CASE WHEN a THEN b ELSE c END; END CASE",
        ],
    );
}

#[test]
fn outside_of_a_transaction_the_body_of_a_routine_is_not_read() {
    let routine = "CREATE DEFINER = a@b PROCEDURE c() BEGIN START TRANSACTION; COMMIT; END";
    assert_eq!(scan_autocommit(MySql, routine, false), None);
    let table = scan_autocommit(MySql, "CREATE TABLE a (b int); BEGIN", false);
    assert_eq!(table.map(|refusal| refusal.keyword), Some("BEGIN"));
    assert_eq!(scan_autocommit(Postgres, "SELECT 1", false), None);
    assert!(scan_autocommit(Postgres, "BEGIN", true).is_some());
}
