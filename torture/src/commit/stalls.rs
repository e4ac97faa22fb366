//! Where a COMMIT can stand when something happens to it, and what keeps it there.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::Database;
use tokio::sync::Mutex;

/// How far a COMMIT has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// On its way: the server has not seen it.
    Ahead,
    /// The server is at it, and nothing is certain yet.
    AtWork,
    /// It will stand, and the server has not said so.
    Durable,
    /// The server has said so, and the client has not heard it.
    Answered,
}

impl Moment {
    pub(super) const ALL: [Self; 4] = [Self::Ahead, Self::AtWork, Self::Durable, Self::Answered];

    /// Whether it stands if it is torn off here.
    pub(super) fn is_applied(self) -> bool {
        matches!(self, Self::Durable | Self::Answered)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ahead => "on its way",
            Self::AtWork => "at work",
            Self::Durable => "durable",
            Self::Answered => "answered",
        })
    }
}

/// What keeps a COMMIT where it is, by a direct connection.
#[derive(Debug)]
pub(super) struct Stall<DB: Database> {
    /// What the session does to meet it.
    pub(super) in_session: Option<&'static str>,
    begin: &'static str,
    end: &'static str,
    direct: Mutex<DB::Connection>,
    backend: AtomicI64,
}

impl<DB: Database> Stall<DB> {
    fn new(
        direct: DB::Connection,
        in_session: Option<&'static str>,
        [begin, end]: [&'static str; 2],
    ) -> Self {
        Self {
            in_session,
            begin,
            end,
            direct: Mutex::new(direct),
            backend: AtomicI64::new(0),
        }
    }

    /// The server's number of the session's connection.
    pub(super) fn meets(&self, backend: i64) {
        self.backend.store(backend, Ordering::Relaxed);
    }

    pub(super) fn backend(&self) -> i64 {
        self.backend.load(Ordering::Relaxed)
    }
}

/// A place whose server can keep a COMMIT from ending.
pub(super) trait Stalls<DB: Database> {
    /// What its server must have been started with.
    const SETTINGS: &'static [(&'static str, &'static str)];

    /// Makes what the stalls need.
    fn set_up_stalls(&self) -> impl Future<Output = ()> + Send;

    fn stall(&self, moment: Moment) -> impl Future<Output = Stall<DB>> + Send;

    /// The COMMIT of a connection that stands there, by a number of its own: the question to the ledger may follow
    /// on the same connection, and wait as well.
    fn stalled(&self, backend: i64) -> impl Future<Output = Option<i64>> + Send;

    /// Whether the server has this connection.
    fn serves(&self, backend: i64) -> impl Future<Output = bool> + Send;

    /// Ends a connection as an administrator does.
    fn terminate(&self, backend: i64) -> impl Future<Output = ()> + Send;

    /// Cancels what a connection is at, as an administrator does.
    fn cancel(&self, backend: i64) -> impl Future<Output = ()> + Send;
}

/// What a stall orders, of either server.
mod orders {
    each_server! {
        use crate::commit::stalls::Stall;

        impl Stall<Db> {
            /// From here on COMMIT waits.
            pub(in crate::commit) async fn begin(&self) -> sqlx::Result<()> {
                let mut direct = self.direct.lock().await;
                sqlx::raw_sql(self.begin).execute(&mut *direct).await?;
                Ok(())
            }

            /// COMMIT goes on, where it still stands. Nothing is left to be ended on a server that has gone down since.
            pub(in crate::commit) async fn end(&self) {
                let mut direct = self.direct.lock().await;
                let _ = sqlx::raw_sql(self.end).execute(&mut *direct).await;
            }
        }
    }
}

/// A deferred trigger that waits for a lock stands ahead of the commit record; waiting for a standby that there is
/// none of, behind it.
mod postgres {
    use sqlx::Connection as _;
    use steadfast_tests::support::postgres::{Connection, Db, Place};

    use super::{Moment, Stall, Stalls};

    impl Stalls<Db> for Place {
        const SETTINGS: &'static [(&'static str, &'static str)] = &[
            ("synchronous_standby_names", "nobody"),
            ("synchronous_commit", "local"),
        ];

        async fn set_up_stalls(&self) {
            let tables = "CREATE TABLE stalls (id BIGINT NOT NULL);
                CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER stalls AFTER INSERT ON stalls
                    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stall()";
            let made = sqlx::raw_sql(tables).execute(&self.plain).await;
            made.expect("a trigger");
        }

        async fn stall(&self, moment: Moment) -> Stall<Db> {
            let direct = Connection::connect(&self.url).await.expect("a connection");
            let nothing = ["SELECT 1"; 2];
            match moment {
                Moment::Ahead | Moment::Answered => Stall::new(direct, None, nothing),
                Moment::AtWork => Stall::new(
                    direct,
                    Some("INSERT INTO stalls VALUES (1)"),
                    [
                        "SELECT pg_advisory_lock(1)",
                        "SELECT pg_advisory_unlock_all()",
                    ],
                ),
                Moment::Durable => Stall::new(
                    direct,
                    Some("SET LOCAL synchronous_commit = on"),
                    [
                        "SELECT 1",
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
                    ],
                ),
            }
        }

        async fn stalled(&self, backend: i64) -> Option<i64> {
            let waiting = "SELECT pid::bigint FROM pg_stat_activity
                WHERE pid = $1::int AND wait_event IN ('advisory', 'SyncRep')";
            let waiting = sqlx::query_scalar(waiting).bind(backend);
            let waiting = waiting.fetch_optional(&self.plain).await;
            waiting.expect("an answer")
        }

        async fn serves(&self, backend: i64) -> bool {
            let its = format!("pg_stat_activity WHERE pid = {backend}");
            self.count(&its).await > 0
        }

        async fn terminate(&self, backend: i64) {
            let terminate = sqlx::query("SELECT pg_terminate_backend($1::int)").bind(backend);
            terminate.execute(&self.plain).await.expect("an answer");
        }

        async fn cancel(&self, backend: i64) {
            let cancel = sqlx::query("SELECT pg_cancel_backend($1::int)").bind(backend);
            cancel.execute(&self.plain).await.expect("an answer");
        }
    }
}

/// A global read lock stands ahead of the commit in the engine; waiting for a replica that there is none of, behind it.
mod mysql {
    use sqlx::{AssertSqlSafe, Connection as _};
    use steadfast_tests::support::mysql::{Connection, Db, Place};

    use super::{Moment, Stall, Stalls};

    impl Stalls<Db> for Place {
        const SETTINGS: &'static [(&'static str, &'static str)] = &[
            ("log-bin", "binlog"),
            ("server-id", "1"),
            ("rpl-semi-sync-master-timeout", "600000"),
            ("rpl-semi-sync-master-wait-point", "AFTER_COMMIT"),
        ];

        async fn set_up_stalls(&self) {}

        async fn stall(&self, moment: Moment) -> Stall<Db> {
            let direct = Connection::connect(&self.url).await.expect("a connection");
            let texts = match moment {
                Moment::Ahead | Moment::Answered => ["DO 1"; 2],
                Moment::AtWork => ["FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"],
                Moment::Durable => [
                    "SET GLOBAL rpl_semi_sync_master_enabled = 1",
                    "SET GLOBAL rpl_semi_sync_master_enabled = 0",
                ],
            };
            Stall::new(direct, None, texts)
        }

        async fn stalled(&self, backend: i64) -> Option<i64> {
            let waiting =
                "SELECT CAST(query_id AS SIGNED) FROM information_schema.processlist WHERE id = ?
                AND state IN ('Waiting for backup lock', 'Waiting for semi-sync ACK from slave')";
            let waiting = sqlx::query_scalar(waiting).bind(backend);
            let waiting = waiting.fetch_optional(&self.plain).await;
            waiting.expect("an answer")
        }

        async fn serves(&self, backend: i64) -> bool {
            let its = format!("information_schema.processlist WHERE id = {backend}");
            self.count(&its).await > 0
        }

        async fn terminate(&self, backend: i64) {
            let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL {backend}")));
            kill.execute(&self.plain).await.expect("an answer");
        }

        async fn cancel(&self, backend: i64) {
            let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {backend}")));
            kill.execute(&self.plain).await.expect("an answer");
        }
    }
}
