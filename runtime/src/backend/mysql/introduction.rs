//! What a new connection is asked: who serves it, and what stands on it; and behind what the user has set, the latter
//! again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::limits::Limits;
use super::{Hidden, MySqlTag, OWN_SETTINGS, Server};

/// Both look at one clock within one statement, so the difference is the same for as long as the server lives. It
/// counts whole seconds, and a server may be back within one: the clock sequence of its UUIDs is drawn at each start.
/// Each of the two servers keeps the status in a schema of its own, and runs the comment that is meant for it.
const WHO: &str = "SELECT CAST(CONNECTION_ID() AS CHAR), VERSION(), CONCAT(UNIX_TIMESTAMP() - \
    (SELECT variable_value FROM /*M!100000 information_schema*//*!50700 performance_schema*/.global_status \
    WHERE variable_name = 'Uptime'), ' ', SUBSTRING(UUID(), 20, 4)), DATABASE()";

/// MySQL and MariaDB each know a limit of statements, and themselves, by a name of their own.
const VARIABLES: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN \
    ('max_execution_time', 'max_statement_time', 'innodb_lock_wait_timeout', 'innodb_rollback_on_timeout', \
    'server_uuid', 'server_uid', 'hostname', 'port', 'datadir')";

pub(super) async fn introduce(connection: &mut MySqlConnection) -> Result<MySqlTag, sqlx::Error> {
    let question = format!("{OWN_SETTINGS}; {WHO}; {VARIABLES}");
    let rows = connection.fetch_all(sqlx::AssertSqlSafe(question)).await?;
    let (who, variables) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
    let id: String = who.try_get(0)?;
    let version: String = who.try_get(1)?;
    let started: Option<String> = who.try_get(2)?;
    let schema: Option<String> = who.try_get(3)?;
    let is_mariadb = version.contains("MariaDB");
    let mut tag = MySqlTag {
        id: id.parse().map_err(|_| {
            sqlx::Error::Protocol(format!("the connection's id `{id}` is not a number"))
        })?,
        server: Server {
            life: hashed("started", started.as_deref().unwrap_or_default()),
            is_mariadb,
            rolls_back_on_timeout: false,
        },
        schema: quoted(schema),
        limits: Limits::new(is_mariadb),
        in_transaction: false,
        hidden: Hidden::Nothing,
        is_suspect: false,
        meddled: OnceLock::new(),
        lent: None,
    };
    for variable in variables {
        tag.learn(variable.try_get(0)?, variable.try_get(1)?);
    }
    Ok(tag)
}

pub(super) async fn learn(
    connection: &mut MySqlConnection,
    tag: &mut MySqlTag,
) -> Result<(), sqlx::Error> {
    let [statement, lock] = tag.limits.variables().map(|variable| {
        variable.map_or("NULL".to_owned(), |variable| {
            plain(&format!("@@{variable}"))
        })
    });
    let schema = plain("DATABASE()");
    let question = format!("{OWN_SETTINGS}; SELECT {statement}, {lock}, {schema}");
    let stands = connection.fetch_one(sqlx::AssertSqlSafe(question)).await?;
    let value = |column: usize| {
        let bytes: Option<Vec<u8>> = stands.try_get(column)?;
        bytes.map(text).transpose()
    };
    tag.limits.stand([value(0)?, value(1)?])?;
    tag.schema = quoted(value(2)?);
    Ok(())
}

impl MySqlTag {
    fn learn(&mut self, variable: &str, value: &str) {
        match variable {
            "server_uuid" | "server_uid" | "hostname" | "port" | "datadir" => {
                // Whatever the order in which they come.
                self.server.life ^= hashed(variable, value);
            }
            "innodb_rollback_on_timeout" => self.server.rolls_back_on_timeout = value == "ON",
            _ => self.limits.learn(variable, value),
        }
    }
}

/// As bytes of UTF-8, which no character set of the session's changes on their way.
fn plain(value: &str) -> String {
    format!("CAST(CONVERT({value} USING utf8mb4) AS BINARY)")
}

fn text(bytes: Vec<u8>) -> Result<String, sqlx::Error> {
    String::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn quoted(schema: Option<String>) -> Option<Arc<str>> {
    schema.map(|schema| format!("`{}`", schema.replace('`', "``")).into())
}

fn hashed(variable: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (variable, value).hash(&mut hasher);
    hasher.finish()
}
