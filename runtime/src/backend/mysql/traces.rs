//! What a session has done that lasts, as `MariaDB` counts it.

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

/// How often a session did what cannot be undone, and when the counters that tell were set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traces {
    lasting: i64,
    flushed: i64,
}

/// Nothing lists a session's temporary tables and settings, but `MariaDB` counts by kind what a session has executed,
/// in procedures, functions and prepared statements too: whatever is not known to leave nothing behind has left
/// something. FLUSH STATUS sets these counters back, and then tells when.
const TRACES: &str = "SELECT \
    CAST(SUM(CASE WHEN variable_name LIKE 'COM$_%' ESCAPE '$' \
        AND variable_name NOT LIKE 'COM$_SHOW$_%' ESCAPE '$' AND variable_name NOT LIKE 'COM$_STMT$_%' ESCAPE '$' \
        AND variable_name NOT IN ( \
        'COM_ADMIN_COMMANDS', 'COM_ALTER_TABLE', 'COM_ANALYZE', 'COM_BEGIN', 'COM_CALL_PROCEDURE', 'COM_CHECK', 'COM_CHECKSUM', \
        'COM_COMMIT', 'COM_COMPOUND_SQL', 'COM_CREATE_EVENT', 'COM_CREATE_FUNCTION', 'COM_CREATE_INDEX', \
        'COM_CREATE_PROCEDURE', 'COM_CREATE_TABLE', 'COM_CREATE_TRIGGER', 'COM_CREATE_VIEW', 'COM_DELETE', \
        'COM_DELETE_MULTI', 'COM_DO', 'COM_DROP_EVENT', 'COM_DROP_FUNCTION', 'COM_DROP_INDEX', 'COM_DROP_PROCEDURE', \
        'COM_DROP_TABLE', 'COM_DROP_TRIGGER', 'COM_DROP_VIEW', 'COM_EMPTY_QUERY', 'COM_EXECUTE_IMMEDIATE', \
        'COM_GET_DIAGNOSTICS', 'COM_HELP', 'COM_INSERT', 'COM_INSERT_SELECT', 'COM_KILL', 'COM_LOAD', 'COM_LOCK_TABLES', \
        'COM_OPTIMIZE', 'COM_RELEASE_SAVEPOINT', 'COM_REPAIR', 'COM_REPLACE', 'COM_REPLACE_SELECT', 'COM_RESIGNAL', \
        'COM_ROLLBACK', 'COM_ROLLBACK_TO_SAVEPOINT', 'COM_SAVEPOINT', 'COM_SELECT', 'COM_SIGNAL', 'COM_TRUNCATE', \
        'COM_UNLOCK_TABLES', 'COM_UPDATE', 'COM_UPDATE_MULTI') \
        THEN variable_value ELSE 0 END) AS SIGNED), \
    CAST(SUM(CASE variable_name WHEN 'COM_CREATE_TEMPORARY_TABLE' THEN variable_value ELSE 0 END) AS SIGNED) \
        + CAST((SELECT COUNT(*) FROM information_schema.user_variables) AS SIGNED), \
    CAST(SUM(CASE variable_name WHEN 'UPTIME' THEN variable_value WHEN 'UPTIME_SINCE_FLUSH_STATUS' THEN -variable_value \
        ELSE 0 END) AS SIGNED) \
    FROM information_schema.session_status";

/// `None` where they cannot be told.
pub(super) async fn traces(
    connection: &mut MySqlConnection,
) -> Result<Option<Traces>, sqlx::Error> {
    let row = match connection.fetch_one(TRACES).await {
        Ok(row) => row,
        Err(sqlx::Error::Database(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let traces = Traces {
        lasting: row.try_get(0)?,
        flushed: row.try_get(2)?,
    };
    // What changes in a temporary table or a variable that is there is not counted.
    let changeable: i64 = row.try_get(1)?;
    Ok((changeable == 0).then_some(traces))
}
