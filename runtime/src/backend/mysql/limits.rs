//! How long statements may take and wait, which both servers know as variables of the session only.

use std::fmt::Write as _;
use std::time::Duration;

use crate::backend::Begin;
use crate::backend::setting::Setting;

/// What stands on a connection.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// In milliseconds.
    statement: Setting,
    /// In whole seconds; 0 where the server has none.
    lock: Setting,
    /// The names of both, where the server has them.
    variables: [Option<&'static str>; 2],
    is_mariadb: bool,
}

impl Limits {
    pub(super) fn new(is_mariadb: bool) -> Self {
        Self {
            statement: Setting::new(0),
            lock: Setting::new(0),
            variables: [None; 2],
            is_mariadb,
        }
    }

    /// Takes in a variable of the session, if it is one of these.
    pub(super) fn learn(&mut self, variable: &str, value: &str) {
        let [statement, lock] = &mut self.variables;
        match variable {
            "max_execution_time" => {
                self.statement = Setting::new(value.parse().unwrap_or(0));
                *statement = Some("max_execution_time");
            }
            "max_statement_time" => {
                self.statement = Setting::new(thousandths(value));
                *statement = Some("max_statement_time");
            }
            "innodb_lock_wait_timeout" => {
                self.lock = Setting::new(value.parse().unwrap_or(0));
                *lock = Some("innodb_lock_wait_timeout");
            }
            _ => {}
        }
    }

    /// Both by their names; `None` where the server has none.
    pub(super) fn variables(&self) -> [Option<&'static str>; 2] {
        self.variables
    }

    /// Takes in their values, in the same order.
    pub(super) fn stand(&mut self, values: [Option<String>; 2]) -> Result<(), sqlx::Error> {
        for (variable, value) in self.variables.into_iter().zip(values) {
            let (Some(variable), Some(value)) = (variable, value) else {
                continue;
            };
            if value.parse::<f64>().is_err() {
                let what = format!("`{variable}` is `{value}`, and not a number");
                return Err(sqlx::Error::Protocol(what));
            }
            self.learn(variable, &value);
        }
        Ok(())
    }

    /// What goes ahead of BEGIN to have the limits that it asks for.
    pub(super) fn set(&mut self, begin: &Begin, sql: &mut String) {
        if begin.limits_statements_anew() {
            self.statement.forget();
        }
        if begin.limits_waits_anew() {
            self.lock.forget();
        }
        let statement = self
            .statement
            .wanted(begin.statement_timeout.map(millis), begin.limit.map(millis));
        if let Some(ms) = self.statement.change(statement) {
            sql.push_str("SET ");
            self.write_statement(ms, sql);
            sql.push_str("; ");
        }
        let lock = self.lock.wanted(begin.lock_timeout.map(seconds), None);
        if let Some(seconds) = self.lock.change(lock) {
            let _ = write!(sql, "SET SESSION innodb_lock_wait_timeout = {seconds}; ");
        }
    }

    /// The rest of a `SET` that makes them what we believe them to be, whoever has changed them.
    pub(super) fn restore(&self, sql: &mut String) {
        if let Some(ms) = self.statement.current() {
            sql.push_str(", ");
            self.write_statement(ms, sql);
        }
        if let Some(seconds) = self.lock.current().filter(|&seconds| seconds > 0) {
            let _ = write!(sql, ", innodb_lock_wait_timeout = {seconds}");
        }
    }

    pub(super) fn forget(&mut self) {
        self.statement.forget();
        self.lock.forget();
    }

    fn write_statement(&self, ms: u64, sql: &mut String) {
        let _ = if self.is_mariadb {
            write!(sql, "max_statement_time = {}.{:03}", ms / 1000, ms % 1000)
        } else {
            write!(sql, "max_execution_time = {ms}")
        };
    }
}

/// `7.000000` seconds as milliseconds.
fn thousandths(seconds: &str) -> u64 {
    let seconds: f64 = seconds.parse().unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).map_or(0, |limit| {
        u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
    })
}

fn millis(limit: Duration) -> u64 {
    // 0 would mean no limit at all, and MySQL's setting has 32 bits.
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, u64::from(u32::MAX))
}

/// The server counts whole seconds here, and the least is one.
fn seconds(limit: Duration) -> u64 {
    limit.as_millis().div_ceil(1000).clamp(1, 1 << 30) as u64
}
