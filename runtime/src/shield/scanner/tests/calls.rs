//! Which statements run code of the user's on the server.

use super::*;

#[test]
fn what_calls_is_known() {
    for dialect in [Postgres, MySql] {
        for (sql, expected) in [
            ("CALL anything()", true),
            ("do anything()", true),
            ("EXECUTE anything", true),
            ("SELECT 1; CALL anything()", true),
            ("; CALL anything()", true),
            ("SELECT 1", false),
            ("SELECT 'CALL a()'", false),
            ("UPDATE a SET call = 1", false),
            ("", false),
        ] {
            let found = Effects::of(dialect, sql, false).calls;
            assert_eq!(found, expected, "{dialect:?}: {sql}");
        }
    }
    assert!(!Effects::of(Sqlite, "CALL a()", false).calls);
}
