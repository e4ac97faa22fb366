//! Where the poison is tried out, and what it may leave beside its connection.

use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use steadfast_tests::support::private::{self, Server};
use steadfast_tests::support::{mysql, postgres, sqlite};

use crate::private::started;

/// A place on a server that has all that is needed.
pub(super) trait Ground: Sized {
    type Server;

    async fn server() -> Self::Server;

    async fn place(server: &Self::Server) -> Self;

    /// What was left on the server; it is taken away.
    async fn beside(&self) -> Vec<String>;
}

/// The one that everybody uses, or none.
pub(super) struct Shared;

impl Ground for postgres::Place {
    type Server = Server<sqlx::Postgres>;

    /// One of its own: without that setting nothing can be prepared.
    async fn server() -> Self::Server {
        started(private::start_with(&[("max_prepared_transactions", "8")])).await
    }

    async fn place(server: &Self::Server) -> Self {
        Self::on(&server.url()).await
    }

    async fn beside(&self) -> Vec<String> {
        let prepared: Vec<String> =
            sqlx::query_scalar("SELECT gid FROM pg_prepared_xacts WHERE owner = $1")
                .bind(&self.name)
                .fetch_all(&self.plain)
                .await
                .unwrap();
        for name in &prepared {
            let rollback = AssertSqlSafe(format!("ROLLBACK PREPARED '{name}'"));
            self.plain.execute(rollback).await.unwrap();
        }
        let names = prepared.iter().map(|_| "prepared transactions".to_owned());
        names.collect()
    }
}

impl Ground for mysql::Place {
    type Server = Shared;

    async fn server() -> Shared {
        Shared
    }

    async fn place(_: &Shared) -> Self {
        Self::new().await
    }

    async fn beside(&self) -> Vec<String> {
        let mut left = Vec::new();
        for row in self
            .plain
            .fetch_all(sqlx::raw_sql("XA RECOVER"))
            .await
            .unwrap()
        {
            let name: String = row.try_get_unchecked("data").unwrap();
            if name == self.name {
                let rollback = AssertSqlSafe(format!("XA ROLLBACK '{name}'"));
                self.plain.execute(rollback).await.unwrap();
                left.push("prepared transactions".to_owned());
            }
        }
        let write = "SET STATEMENT lock_wait_timeout = 1, innodb_lock_wait_timeout = 1 FOR
                     UPDATE notes SET body = body WHERE id < 0";
        if self.plain.execute(write).await.is_err() {
            left.push("table locks".to_owned());
        }
        left
    }
}

impl Ground for sqlite::Place {
    type Server = Shared;

    async fn server() -> Shared {
        Shared
    }

    async fn place(_: &Shared) -> Self {
        Self::new().await
    }

    async fn beside(&self) -> Vec<String> {
        Vec::new()
    }
}
