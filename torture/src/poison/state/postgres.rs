//! PostgreSQL: settings, roles, temporary objects, locks, statements, cursors, channels, the transaction.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::{Seen, State};

/// What one row of text shows.
const LOOKS: [(&str, &str); 10] = [
    ("roles", "SELECT concat_ws(' ', current_user, session_user)"),
    (
        "temporary",
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    ),
    (
        "locks",
        "SELECT string_agg(concat_ws(' ', locktype, mode), ', ' ORDER BY locktype, mode) FROM pg_locks
         WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid' AND NOT (locktype = 'relation' AND mode = 'AccessShareLock')",
    ),
    (
        "prepared",
        "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_prepared_statements WHERE from_sql",
    ),
    ("cursors", "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_cursors"),
    ("listening", "SELECT string_agg(c, ' ') FROM pg_listening_channels() AS c"),
    (
        "transaction",
        "SELECT (transaction_timestamp() = statement_timestamp())::text || coalesce(pg_current_xact_id_if_assigned()::text, '')",
    ),
    ("custom setting", "SELECT current_setting('poison.tenant', true)"),
    ("last id", "SELECT lastval()::text"),
    ("accounts", "SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM accounts AS a"),
];

impl Seen for PgConnection {
    async fn state(&mut self, _: &str) -> State {
        let mut state = State::default();
        // Those of libraries come and go with them.
        let settings = sqlx::raw_sql(
            "SELECT name, coalesce(setting, 'null') FROM pg_settings WHERE name NOT LIKE '%.%'",
        );
        for row in self.fetch_all(settings).await.unwrap_or_default() {
            let (name, value): (String, String) = (row.get(0), row.get(1));
            state.put(format!("setting {name}"), value);
        }
        for (name, sql) in LOOKS {
            let row = self.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql))).await;
            state.put_answer(name, row.and_then(|row| row.try_get(0)));
        }
        state
    }
}
