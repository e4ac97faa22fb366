//! Which statements may change the limits of the sessions behind them.

use super::*;

#[track_caller]
fn tells(dialects: &[Dialect], expected: bool, rows: &[&str]) {
    for &dialect in dialects {
        for sql in rows {
            assert_eq!(
                Effects::of(dialect, sql, false).sets_limits,
                expected,
                "{dialect:?}: {sql}"
            );
        }
    }
}

#[test]
fn what_sets_limits_is_known() {
    tells(
        &[Postgres, MySql],
        true,
        &[
            "SET statement_timeout = 0",
            "set SESSION innodb_lock_wait_timeout = DEFAULT",
            "SELECT 1; SET LOCK_TIMEOUT = 1",
            "CALL anything()",
            "DO anything()",
            "EXECUTE anything",
            "SELECT 1; CALL anything()",
        ],
    );
    tells(
        &[Postgres],
        true,
        &[
            "RESET ALL",
            "DISCARD ALL",
            "SELECT set_config('statement_timeout', '0', false)",
            "WITH a AS (SELECT pg_catalog.Set_Config($1, $2, false)) SELECT 1 FROM a",
            "UPDATE pg_settings SET setting = 0 WHERE name = 'lock_timeout'",
        ],
    );
    tells(
        &[Postgres, MySql],
        false,
        &[
            "SELECT max_time FROM a",
            "SET NAMES utf8mb4",
            "UPDATE a SET b_time = 1",
            "SELECT _, a_, _set_confi, pg_setting FROM b",
            "SELECT 'é_é'",
        ],
    );
    tells(&[Sqlite], false, &["SET statement_timeout = 0", "CALL a()"]);
}
