//! MariaDB: variables of the session and of the user, temporary tables, locks, statements, the transaction.

use sqlx::{AssertSqlSafe, Executor as _, MySqlConnection, Row as _};

use super::{Seen, State};

/// What one row of text shows, or the error. What has no list is asked for by name.
const LOOKS: [(&str, &str); 9] = [
    ("database", "SELECT DATABASE()"),
    (
        "roles",
        "SELECT CONCAT_WS(' ', CURRENT_USER(), CURRENT_ROLE())",
    ),
    (
        "user variables",
        "SELECT GROUP_CONCAT(variable_name) FROM information_schema.user_variables",
    ),
    ("transaction", "SELECT CAST(@@in_transaction AS CHAR)"),
    (
        "temporary",
        "SELECT CAST(COUNT(*) AS CHAR) FROM <here>.poison",
    ),
    (
        "accounts",
        "SELECT GROUP_CONCAT(CONCAT(id, ' ', cents) ORDER BY id) FROM <here>.accounts",
    ),
    ("named lock", "SELECT CAST(IS_FREE_LOCK('<here>') AS CHAR)"),
    ("handler", "HANDLER accounts READ FIRST"),
    ("prepared", "EXECUTE poison"),
];

impl Seen for MySqlConnection {
    async fn state(&mut self, here: &str) -> State {
        let mut state = State::default();
        let variables = sqlx::raw_sql("SHOW SESSION VARIABLES");
        for row in self.fetch_all(variables).await.unwrap_or_default() {
            let (name, value): (String, String) = (row.get(0), row.get(1));
            state.put(format!("variable {name}"), value);
        }
        for (name, sql) in LOOKS {
            let sql = AssertSqlSafe(sql.replace("<here>", here));
            let row = self.fetch_one(sqlx::raw_sql(sql)).await;
            state.put_answer(name, row.and_then(|row| row.try_get_unchecked(0)));
        }
        state
    }
}
