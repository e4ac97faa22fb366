//! The server that the calls are made on, and the statements that are prepared there.

use sqlx::{Connection as _, MySql, MySqlConnection, Row as _};
use steadfast_tests::support::{mysql, postgres, sqlite};

use crate::private::Private;

/// A place by its server.
pub(super) trait Hosted: Sized {
    type Server;

    async fn server() -> Self::Server;

    async fn on(server: &Self::Server) -> Self;

    /// Statements that are prepared on any connection of the server, whosever it is. `None` where nobody can tell.
    async fn prepared(server: &Self::Server) -> Option<usize>;

    async fn end(server: Self::Server);
}

/// The one that everybody uses, or none.
pub(super) struct Shared;

impl Hosted for mysql::Place {
    type Server = Private<MySql>;

    /// One of its own: on another, whatever somebody else prepares would be counted.
    async fn server() -> Self::Server {
        Private::start(&[]).await
    }

    async fn on(server: &Self::Server) -> Self {
        Self::on(&server.url()).await
    }

    async fn prepared(server: &Self::Server) -> Option<usize> {
        // As text, which prepares nothing.
        let count = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'");
        let mut direct = MySqlConnection::connect(&server.url()).await.unwrap();
        let count: String = (count.fetch_one(&mut direct).await.unwrap())
            .try_get_unchecked("Value")
            .unwrap();
        direct.close().await.unwrap();
        Some(count.parse().unwrap())
    }

    async fn end(server: Self::Server) {
        server.end().await;
    }
}

impl Hosted for postgres::Place {
    type Server = Shared;

    async fn server() -> Shared {
        Shared
    }

    async fn on(_: &Shared) -> Self {
        Self::new().await
    }

    /// `pg_prepared_statements` shows those of one's own connection only, which `fill` counts. There are no others once
    /// the connections are gone: a statement belongs to the process that serves its connection.
    async fn prepared(_: &Shared) -> Option<usize> {
        None
    }

    async fn end(_: Shared) {}
}

impl Hosted for sqlite::Place {
    type Server = Shared;

    async fn server() -> Shared {
        Shared
    }

    async fn on(_: &Shared) -> Self {
        Self::new().await
    }

    /// They are a part of our memory.
    async fn prepared(_: &Shared) -> Option<usize> {
        None
    }

    async fn end(_: Shared) {}
}

#[cfg(test)]
mod tests {
    use steadfast_tests::support::eventually;
    use xtask::database::Database;

    use super::*;

    #[tokio::test]
    async fn what_anybody_prepares_is_counted_until_its_connection_ends() {
        if !Database::MySql.is_chosen().expect("a choice of databases") {
            return;
        }
        let server = mysql::Place::server().await;
        assert_eq!(mysql::Place::prepared(&server).await, Some(0));
        let mut stranger = MySqlConnection::connect(&server.url()).await.unwrap();
        let prepares = sqlx::query("SELECT 1").execute(&mut stranger);
        prepares.await.unwrap();
        assert_eq!(mysql::Place::prepared(&server).await, Some(1));
        stranger.close().await.unwrap();
        let is_gone = || async { mysql::Place::prepared(&server).await == Some(0) };
        eventually("the statement goes with its connection", is_gone).await;
        mysql::Place::end(server).await;
    }
}
