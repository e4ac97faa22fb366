//! What a connection is like, so that it can be told from what somebody has made of it.

use std::fmt::Write as _;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};

/// The settings of a connection that can be read without an effect. What is the database's own is not among them.
const SETTINGS: [&str; 29] = [
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
    "foreign_keys",
    "full_column_names",
    "fullfsync",
    "ignore_check_constraints",
    "journal_mode",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
];

/// What a connection is like: its settings, the databases that are attached, the functions and collations that there
/// are, and how LIKE compares; ahead of it, how many temporary objects there are.
fn likeness() -> String {
    let mut sql = String::from(
        "SELECT (SELECT count(*) FROM sqlite_temp_master), ('a' LIKE 'A') || '|' \
         || (SELECT count(*) FROM pragma_function_list) || '|' || (SELECT count(*) FROM pragma_collation_list) || '|' \
         || (SELECT group_concat(name || '=' || coalesce(file, ''), ';') FROM pragma_database_list WHERE name <> 'temp')",
    );
    for setting in SETTINGS {
        let _ = write!(
            sql,
            " || '|' || coalesce((SELECT * FROM pragma_{setting}), '')"
        );
    }
    sql.push_str("; PRAGMA writable_schema; PRAGMA wal_autocheckpoint; PRAGMA mmap_size");
    sql
}

/// `None` where it cannot be told, or there are temporary objects, of which nobody knows what is in them.
pub(super) async fn look(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let rows = match connection.fetch_all(sqlx::AssertSqlSafe(likeness())).await {
        Ok(rows) => rows,
        Err(sqlx::Error::Database(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (first, others) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
    let temporary: i64 = first.try_get(0)?;
    let mut seen: String = first.try_get(1)?;
    for setting in others {
        seen.push('|');
        seen.push_str(&setting.try_get_unchecked::<String, _>(0)?);
    }
    Ok((temporary == 0).then_some(seen))
}
