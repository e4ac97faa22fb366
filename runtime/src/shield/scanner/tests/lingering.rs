//! What stays on a connection beyond its session, as far as a text shows it.

use super::*;

#[track_caller]
fn tells(dialect: Dialect, expected: bool, rows: &[&str]) {
    for sql in rows {
        for prepared in [true, false] {
            let found = Effects::of(dialect, sql, prepared).lingers;
            assert_eq!(found, expected, "{dialect:?}, prepared: {prepared}: {sql}");
        }
    }
}

#[test]
fn on_postgres() {
    tells(
        Postgres,
        true,
        &[
            "SET search_path = app",
            "set session work_mem = '7MB'",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET ROLE other",
            "RESET ALL",
            "DISCARD ALL",
            "PREPARE seven AS SELECT 7",
            "DEALLOCATE ALL",
            "LOAD 'auto_explain'",
            "CREATE TEMP TABLE a (id int)",
            "CREATE LOCAL TEMPORARY TABLE a (id int) ON COMMIT DELETE ROWS",
            "CREATE OR REPLACE TEMP VIEW a AS SELECT 1",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SELECT pg_advisory_lock(1)",
            "SELECT PG_TRY_ADVISORY_LOCK(1)",
            "SELECT set_config('a.b', 'c', false)",
            "SELECT set_config('a.b', $1, $2)",
            "WITH a AS (SELECT pg_catalog.Set_Config($1, $2, false)) SELECT 1 FROM a",
            "UPDATE pg_settings SET setting = '7MB' WHERE name = 'work_mem'",
            "UPDATE ONLY pg_catalog.pg_settings SET setting = '0'",
            "WITH a AS (SELECT 1) UPDATE \"pg_settings\" SET setting = '0'",
            "SELECT set_config('app.admin', 'true', $1)",
            "SELECT set_config('app.admin', 'true', 'f')",
            "SELECT set_config('a', 'b', true), set_config('c', 'd', false)",
            "SELECT pg_catalog.\"set_config\"('a', 'b', false)",
            "CREATE TABLE pg_temp.a (id int)",
            "CREATE TABLE IF NOT EXISTS \"pg_temp\".a (id int)",
            "/* first */ SET work_mem = '7MB'",
            "SELECT * INTO TEMP a FROM b",
            "select 1 into local temporary table a",
            "WITH b AS (SELECT 1) SELECT * INTO pg_temp.a FROM b",
            "SELECT 1 INTO \"pg_temp\".a",
            "CREATE RECURSIVE VIEW pg_temp.a (b) AS SELECT 1",
            "CREATE FUNCTION pg_temp.a() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "EXPLAIN ANALYZE CREATE TEMP TABLE a AS SELECT 1",
            "EXPLAIN (ANALYZE, COSTS off) CREATE TEMP TABLE a AS SELECT 1",
            "EXPLAIN ANALYZE SELECT 1 INTO TEMP a",
            "SELECT * INTO TABLE pg_temp.a FROM b",
            "SET LOCAL search_path = pg_temp",
            "SELECT set_config('search_path', 'pg_temp', true)",
            "CREATE TABLE U&\"pg\\005ftemp\".a (id int)",
            "SELECT u&\"set_confi\\0067\"('a.b', 'c', false)",
            "SELECT set_config('a.b', pg_try_advisory_lock(8)::text, true)",
            "SELECT set_config('a.b', set_config('c.d', 'e', false), true)",
            "SELECT set_config('a.b', 'c', NOT true)",
            "SELECT set_config('a.b', 'c', false = true)",
        ],
    );
    tells(
        Postgres,
        false,
        &[
            "SELECT 1",
            "SET LOCAL search_path = app",
            "SET TRANSACTION READ ONLY",
            "SET CONSTRAINTS ALL DEFERRED",
            "UPDATE a SET search_path = 'b'",
            "CREATE TABLE temp_a (id int)",
            "CREATE TEMP TABLE a (id int) ON COMMIT DROP",
            "DECLARE c CURSOR FOR SELECT 1",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT pg_advisory_unlock(1)",
            "SELECT set_config('a.b', $1, true)",
            "SELECT setting FROM pg_settings",
            "SELECT setting FROM pg_settings FOR UPDATE",
            "UPDATE my_pg_settings SET setting = '0'",
            "SELECT setting FROM pg_settings WHERE category LIKE '%update%'",
            "SELECT set_config('app.admin', 'false', true)",
            "SELECT set_config('app.list', concat('a', ',', 'b'), true)",
            "SELECT id FROM budgets WHERE NOT budget_locked",
            "SELECT * FROM advisory_locks",
            "INSERT INTO widget_locks VALUES ('get_lock(1)', 'pg_advisory_lock(1)')",
            "CREATE TABLE temp (id int)",
            "INSERT INTO temp VALUES (1)",
            "INSERT INTO a SELECT temp FROM temporary_things",
            "SELECT attempts INTO a FROM templates WHERE temperature > 1",
            "SELECT set_config('a.b', ARRAY['c', 'd']::text, true)",
            "SELECT set_config('a.b', 'c', is_local => true)",
            "SELECT a&\"b\" FROM c",
            "WITH a AS (INSERT INTO temp VALUES (1) RETURNING id) SELECT id INTO b FROM a",
            "SELECT temp, 'INTO TEMP' FROM temperatures",
            "EXPLAIN (ANALYZE) SELECT 1",
            "SELECT 'SET work_mem'",
            "SELECT _, a_, _set_confi, pg_setting, 'é_é' FROM b",
            "",
        ],
    );
}

#[test]
fn on_mysql() {
    tells(
        MySql,
        true,
        &[
            "SET sql_mode = ''",
            "SET SESSION TRANSACTION READ ONLY",
            "SET TRANSACTION READ ONLY",
            "SET NAMES latin1",
            "SET @a = 1",
            "SELECT @a := 1",
            "SELECT 1 INTO @a",
            "SELECT id INTO @a FROM b",
            "USE other",
            "PREPARE seven FROM 'SELECT 7'",
            "CREATE TEMPORARY TABLE a (id INT)",
            "CREATE OR REPLACE TEMPORARY TABLE a (id INT)",
            "SELECT GET_LOCK('a', 0)",
            "SET GLOBAL max_connections = 100, SESSION sort_buffer_size = 7",
            "SET @@SESSION.sort_buffer_size = 7",
            "LOAD DATA INFILE 'a' INTO TABLE b (c, @d)",
            "GET DIAGNOSTICS @a = NUMBER",
            "GET CURRENT DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT",
            "BEGIN NOT ATOMIC SELECT 1; GET DIAGNOSTICS @a = NUMBER; END",
            "SELECT `GET_LOCK`('a', 0)",
            "BEGIN NOT ATOMIC CREATE TEMPORARY TABLE a (id INT); END",
            "BEGIN NOT ATOMIC SELECT 1; SET SESSION sort_buffer_size = 7; END",
            "IF 0 THEN SELECT 1; ELSE CREATE TEMPORARY TABLE a (id INT); END IF",
            "CASE 2 WHEN 1 THEN SELECT 1; ELSE SET NAMES latin1; END CASE",
            "BEGIN NOT ATOMIC SELECT 1 INTO @a; END",
            "SET STATEMENT max_statement_time = 9 FOR BEGIN NOT ATOMIC SET NAMES latin1; END",
            "/*!999999 SELECT 1 */ CREATE TEMPORARY TABLE a (id INT)",
            "/*!50000 CREATE TEMPORARY TABLE a (id INT) */",
            "SET STATEMENT max_statement_time = 1 FOR SET SESSION sort_buffer_size = 7",
            "SET STATEMENT max_statement_time = (SELECT SUBSTRING('1' FROM 1 FOR 1)) FOR SET NAMES latin1",
            "SET STATEMENT sql_mode = '' FOR CREATE TEMPORARY TABLE a (id INT)",
        ],
    );
    tells(
        MySql,
        false,
        &[
            "SELECT @a, @@sql_mode, 'a := b', 'INTO @a'",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "SET GLOBAL max_connections = 100",
            "SET @@GLOBAL.max_connections = 100",
            "SELECT id FROM budgets WHERE NOT budget_locked",
            "SELECT 'GET_LOCK(1)'",
            "INSERT INTO a VALUES ('b@c')",
            "SELECT get, load FROM a WHERE b = @c",
            "UPDATE a SET b = 1",
            "BEGIN NOT ATOMIC SELECT @a; UPDATE a SET b = 1; END",
            "DROP TEMPORARY TABLE a",
            "SELECT RELEASE_LOCK('a')",
        ],
    );
}

#[test]
fn on_sqlite() {
    tells(
        Sqlite,
        true,
        &[
            "PRAGMA foreign_keys = off",
            "PRAGMA main.synchronous(off)",
            "PRAGMA case_sensitive_like = on",
            "ATTACH ':memory:' AS a",
            "DETACH a",
            "CREATE TEMP TABLE a (id)",
            "SELECT 1; CREATE TEMPORARY VIEW a AS SELECT 1",
            "; PRAGMA foreign_keys = off",
            "PRAGMA \"foreign_keys\" = off",
            "EXPLAIN PRAGMA foreign_keys = off",
            "EXPLAIN QUERY PLAN PRAGMA foreign_keys(off)",
            "PRAGMA journal_mode = off",
            "CREATE TABLE temp.a (id)",
            "CREATE UNIQUE INDEX temp.a ON b (c)",
            "CREATE VIEW IF NOT EXISTS \"temp\".a AS SELECT 1",
            "CREATE VIRTUAL TABLE temp.a USING fts5(b)",
        ],
    );
    tells(
        Sqlite,
        false,
        &[
            "PRAGMA foreign_keys",
            "PRAGMA journal_mode",
            "EXPLAIN PRAGMA table_info(a)",
            "PRAGMA table_info(a)",
            "PRAGMA defer_foreign_keys = ON",
            "PRAGMA foreign_key_check(a)",
            "PRAGMA main.incremental_vacuum(10)",
            "PRAGMA main.user_version = 7",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "CREATE TABLE temp (id)",
            "CREATE VIEW a AS SELECT temp.id FROM temp",
            "SELECT 1; SELECT 2",
            "CREATE TRIGGER t AFTER UPDATE ON a BEGIN DELETE FROM b; END",
        ],
    );
}

/// Each statement of a text is looked at, where there may be several.
#[test]
fn behind_another() {
    for (dialect, sql) in [
        (Postgres, "SELECT 1; SET work_mem = '7MB'"),
        (MySql, "SELECT 1; SET sql_mode = ''"),
        (MySql, "INSERT INTO a VALUES (1); USE other"),
    ] {
        assert!(Effects::of(dialect, sql, false).lingers, "{sql}");
        assert!(
            !Effects::of(dialect, sql, true).lingers,
            "one, or an error: {sql}"
        );
    }
}

/// However long the text: a quadratic reading of this one takes minutes.
#[test]
fn each_text_is_read_a_few_times_at_most() {
    for dialect in [Postgres, MySql, Sqlite] {
        for statement in [
            "INSERT INTO a VALUES ('b@c');",
            "SELECT temp, set_config FROM a;",
            "EXPLAIN (;",
            "EXPLAIN ",
            "SET STATEMENT a = (",
            "CREATE ",
        ] {
            let text = statement.repeat(300_000 / statement.len());
            let began = std::time::Instant::now();
            Effects::of(dialect, &text, false);
            let taken = began.elapsed();
            assert!(taken.as_secs() < 10, "{dialect:?}: {statement}: {taken:?}");
        }
    }
}
