//! SQLite: pragmas, databases, temporary objects, the transaction.

use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqliteConnection};

use super::{Seen, State};

/// Those whose answer is a setting.
const PRAGMAS: [&str; 37] = [
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "defer_foreign_keys",
    "empty_result_callbacks",
    "encoding",
    "foreign_keys",
    "full_column_names",
    "fullfsync",
    "hard_heap_limit",
    "ignore_check_constraints",
    "journal_mode",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "soft_heap_limit",
    "synchronous",
    "temp.journal_mode",
    "temp.synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
    "writable_schema",
];

const LOOKS: [(&str, &str); 4] = [
    (
        "databases",
        "SELECT group_concat(name) FROM pragma_database_list WHERE name <> 'temp'",
    ),
    (
        "temporary",
        "SELECT group_concat(name) FROM sqlite_temp_master",
    ),
    ("accounts", "SELECT CAST(count(*) AS TEXT) FROM accounts"),
    ("like", "SELECT CAST('a' LIKE 'A' AS TEXT)"),
];

impl Seen for SqliteConnection {
    async fn state(&mut self, _: &str) -> State {
        let mut state = State::default();
        for name in PRAGMAS {
            let sql = AssertSqlSafe(format!("PRAGMA {name}"));
            let row = self.fetch_one(sqlx::raw_sql(sql)).await;
            let value = row.and_then(|row| {
                let text = row.try_get_unchecked::<String, _>(0);
                text.map(Some)
            });
            state.put_answer(&format!("pragma {name}"), value);
        }
        for (name, sql) in LOOKS {
            let row = self.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql))).await;
            state.put_answer(name, row.and_then(|row| row.try_get_unchecked(0)));
        }
        let begun = self.execute("BEGIN; ROLLBACK").await;
        state.put_answer("transaction", begun.map(|_| None));
        state
    }
}
