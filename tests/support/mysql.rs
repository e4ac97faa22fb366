use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, MySqlPool};

pub type Db = sqlx::MySql;
pub type Session = steadfast::MySqlSession;
pub type Pool = steadfast::MySqlSessionPool;
pub type Plain = MySqlPool;
pub type Connection = MySqlConnection;
pub const NAME: &str = "mysql";
pub const ERROR_DOOMS: bool = false;
pub const DROP_DOOMS_SESSION: bool = true;
/// Whether a write that is stopped takes the whole transaction with it.
pub const STOPPED_WRITE_DOOMS_SESSION: bool = true;
pub const SLOW: &str = "SELECT SLEEP(30)";
/// The same as an insert of `$1` into `tree`.
pub const SLOW_INSERT: &str = "INSERT INTO tree SELECT $1 + SLEEP(30)";
pub const WHICH: &str = "SELECT CAST(CONNECTION_ID() AS SIGNED)";

/// SQL in the words of this database: `$1`, `$2` … must stand in order.
pub fn sql(text: &str) -> AssertSqlSafe<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '$' && chars.peek().is_some_and(char::is_ascii_digit) {
            out.push('?');
            while chars.peek().is_some_and(char::is_ascii_digit) {
                chars.next();
            }
        } else {
            out.push(c);
        }
    }
    AssertSqlSafe(out)
}

/// A database of its own.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    pub name: String,
    pub plain: Plain,
}

server_place!("TEST_MYSQL_URL");

impl Place {
    /// On a server of the test's own.
    pub async fn on(server: &str) -> Self {
        let name = format!("t{:016x}", fastrand::u64(..));
        let mut admin = MySqlConnection::connect(server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        let plain = sqlx::mysql::MySqlPoolOptions::new()
            .max_connections(3)
            .connect(&url)
            .await
            .unwrap();
        sqlx::raw_sql(super::place::tables("VARCHAR(200)"))
            .execute(&plain)
            .await
            .unwrap();
        Self { url, name, plain }
    }

    /// `information_schema.innodb_trx` is a copy, and not renewed while it is read more often than every 100 ms;
    /// this report is of now.
    pub async fn open_transactions(&self) -> i64 {
        let ids = self.ids().await;
        let open = transactions(&self.plain).await;
        open.iter().filter(|(id, _)| ids.contains(id)).count() as i64
    }

    /// Whether the server runs a slow statement for this place.
    pub async fn runs_slow(&self) -> bool {
        !self.slow_ones().await.is_empty()
    }

    async fn slow_ones(&self) -> Vec<i64> {
        sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ? AND state = 'User sleep'",
        )
        .bind(&self.name)
        .fetch_all(&self.plain)
        .await
        .unwrap()
    }

    /// Cancels the slow statement of this place from outside.
    pub async fn cancel_slow(&self) {
        let slow = self.slow_ones().await;
        assert!(!slow.is_empty());
        for id in slow {
            sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {id}")))
                .execute(&self.plain)
                .await
                .unwrap();
        }
    }

    /// A user who may log in and do next to nothing, and the password.
    pub async fn user(&self) -> (String, String) {
        let (user, password) = (
            format!("u{}", self.name),
            format!("canary{:016x}", fastrand::u64(..)),
        );
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE USER {user}@'%' IDENTIFIED BY '{password}'; GRANT SELECT ON {}.notes TO {user}@'%'", self.name
        )))
        .execute(&self.plain)
        .await
        .unwrap();
        (user, password)
    }

    async fn ids(&self) -> Vec<i64> {
        let ours: Vec<i64> = sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()",
        )
        .bind(&self.name)
        .fetch_all(&self.plain)
        .await
        .unwrap();
        ours
    }

    /// Connections that this place's pools have open on the server.
    pub async fn connections(&self) -> i64 {
        // All but one of the plain pool's connections are idle ones that count too.
        self.ids().await.len() as i64 - (i64::from(self.plain.size()) - 1)
    }

    /// Ends connections from outside, and waits until they are gone.
    pub async fn kill(&self, ids: &[i64]) {
        for id in ids {
            sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}")))
                .execute(&self.plain)
                .await
                .unwrap();
        }
        super::eventually("the connections are gone", || async {
            self.ids().await.iter().all(|id| !ids.contains(id))
        })
        .await;
    }

    /// The same for all that this place's pools have open.
    pub async fn kill_all(&self) {
        assert_eq!(self.plain.size(), 1, "the others are the pools'");
        let ids = self.ids().await;
        assert!(!ids.is_empty());
        self.kill(&ids).await;
    }
}

/// The connections that have a transaction open, and what the server says of each.
///
/// Not from `information_schema.innodb_trx`: that is a cache which is renewed only when nobody, on the whole
/// server, has looked at it for 100 ms.
async fn transactions(plain: &Plain) -> Vec<(i64, String)> {
    let (_, _, status): (String, String, String) = sqlx::query_as("SHOW ENGINE INNODB STATUS")
        .fetch_one(plain)
        .await
        .unwrap();
    let sections = status.split("---TRANSACTION").skip(1);
    sections
        .filter(|section| {
            section
                .lines()
                .next()
                .is_some_and(|line| line.contains("ACTIVE"))
        })
        .filter_map(|section| {
            let (_, rest) = section.split_once("thread id ")?;
            let (id, _) = rest.split_once(',')?;
            Some((id.parse().ok()?, section.to_owned()))
        })
        .collect()
}

/// Waits until the connection of this id waits for a lock.
pub async fn is_blocked(plain: &Plain, id: i64) {
    super::eventually("the other transaction waits for a lock", || async {
        let open = transactions(plain).await;
        open.iter()
            .any(|(other, state)| *other == id && state.contains("LOCK WAIT"))
    })
    .await;
}

/// Runs a call that waits for a lock of ours, and makes it the victim of a deadlock.
pub async fn as_victim<T>(place: &Place, pool: &Pool, call: impl Future<Output = T>) -> T {
    let id = sqlx::query_scalar(WHICH).fetch_one(pool).await.unwrap();
    // With more to undo.
    let mut rival = place.plain.begin().await.unwrap();
    for sql in [
        "INSERT INTO notes SELECT seq, seq FROM seq_1_to_100",
        "UPDATE accounts SET cents = cents + 1 WHERE id = 2",
    ] {
        rival.execute(sql).await.unwrap();
    }
    let deadlock = async {
        is_blocked(&place.plain, id).await;
        let crossed = rival
            .execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
            .await;
        crossed.unwrap();
        rival.rollback().await.unwrap();
    };
    tokio::join!(call, deadlock).0
}
