//! Helpers that know nothing of steadfast, in three styles, run inside a session as they are.
//!
//! ```text
//! cargo run --example existing_helpers
//! cargo run --example existing_helpers -- --url postgres://localhost/test
//! ```
//!
//! Two of them begin transactions of their own, and commit, roll back or drop them. Inside a session that is a
//! savepoint: what a helper has committed stays if the session stays, and is gone with it otherwise. The example shows
//! how many rows each way leaves. The table `existing_helpers` is made anew.

use clap::Parser;

#[derive(Parser)]
struct Args {
    /// `postgres://…`, `mysql://…` or `sqlite://…`; without it SQLite in memory.
    #[arg(long)]
    url: Option<String>,
}

/// How a helper ends the transaction that it has begun.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Commit,
    Rollback,
    Drop,
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Executor,
    Connection,
    Acquire,
}

/// The same three helpers for each database; sqlx's types are all that differs.
macro_rules! on {
    ($module:ident, $database:ident, $connection:ident, $session:ident) => {
        mod $module {
            use sqlx::{Acquire, Executor, Transaction, $connection, $database};
            use steadfast::{SessionPool, with_session, $session};

            use super::{Ending, Style};

            // --- What was there before: not a word of steadfast.

            /// Runs on whatever takes a statement.
            async fn log(executor: impl Executor<'_, Database = $database>) -> sqlx::Result<()> {
                sqlx::query("INSERT INTO existing_helpers (who) VALUES ('helper')")
                    .execute(executor)
                    .await?;
                Ok(())
            }

            /// Wants the connection itself, and begins a transaction on it.
            async fn log_safely(connection: &mut $connection, ending: Ending) -> sqlx::Result<()> {
                let mut transaction = sqlx::Connection::begin(connection).await?;
                log(&mut *transaction).await?;
                end(transaction, ending).await
            }

            /// Takes a pool, a connection or a transaction, and begins a transaction on it.
            async fn log_anywhere<'a>(
                database: impl Acquire<'a, Database = $database>,
                ending: Ending,
            ) -> sqlx::Result<()> {
                let mut transaction = database.begin().await?;
                log(&mut *transaction).await?;
                end(transaction, ending).await
            }

            async fn end(
                transaction: Transaction<'_, $database>,
                ending: Ending,
            ) -> sqlx::Result<()> {
                match ending {
                    Ending::Commit => transaction.commit().await,
                    Ending::Rollback => transaction.rollback().await,
                    Ending::Drop => Ok(()),
                }
            }

            // --- What is new.

            #[with_session]
            async fn work(
                session: &mut $session,
                style: Style,
                ending: Ending,
                succeeds: bool,
            ) -> Result<(), steadfast::Error> {
                sqlx::query("INSERT INTO existing_helpers (who) VALUES ('session')")
                    .execute(&mut *session)
                    .await?;
                match style {
                    // A session is an executor,
                    Style::Executor => log(&mut *session).await?,
                    // lends its connection,
                    Style::Connection => log_safely(session.raw().await?, ending).await?,
                    // and is what a transaction can be begun on.
                    Style::Acquire => log_anywhere(&mut *session, ending).await?,
                }
                if succeeds {
                    Ok(())
                } else {
                    Err(sqlx::Error::RowNotFound.into())
                }
            }

            /// Rows that the session has left, and rows that the helper has.
            async fn rows(pool: &SessionPool<$database>) -> sqlx::Result<(i64, i64)> {
                let count = "SELECT count(*) FROM existing_helpers WHERE who = 'session'";
                let session = sqlx::query_scalar(count).fetch_one(pool).await?;
                let count = "SELECT count(*) FROM existing_helpers WHERE who = 'helper'";
                let helper = sqlx::query_scalar(count).fetch_one(pool).await?;
                sqlx::query("DELETE FROM existing_helpers")
                    .execute(pool)
                    .await?;
                Ok((session, helper))
            }

            pub(super) async fn show(pool: &SessionPool<$database>) -> sqlx::Result<()> {
                sqlx::raw_sql("DROP TABLE IF EXISTS existing_helpers")
                    .execute(pool)
                    .await?;
                sqlx::raw_sql("CREATE TABLE existing_helpers (who VARCHAR(10) NOT NULL)")
                    .execute(pool)
                    .await?;
                println!("helper takes | and ends with | left by it, committed | rolled back");
                for style in [Style::Executor, Style::Connection, Style::Acquire] {
                    for ending in [Ending::Commit, Ending::Rollback, Ending::Drop] {
                        if matches!(style, Style::Executor) && ending != Ending::Commit {
                            continue;
                        }
                        work(pool, style, ending, true).await.expect("all is well");
                        let committed = rows(pool).await?;
                        work(pool, style, ending, false)
                            .await
                            .expect_err("the session fails behind its helper");
                        let rolled_back = rows(pool).await?;

                        let ends = match style {
                            Style::Executor => "nothing".to_owned(),
                            _ => format!("{ending:?}"),
                        };
                        println!(
                            "{:12} | {ends:13} | {:21} | {:11}",
                            format!("{style:?}"),
                            committed.1,
                            rolled_back.1
                        );
                        assert_eq!(committed, (1, i64::from(ending == Ending::Commit)));
                        assert_eq!(
                            rolled_back,
                            (0, 0),
                            "nothing stays of a session that failed"
                        );
                    }
                }
                sqlx::raw_sql("DROP TABLE existing_helpers")
                    .execute(pool)
                    .await?;
                println!("one connection served them all: {}", pool.stats().opened);
                assert_eq!(pool.stats().opened, 1);
                Ok(())
            }
        }
    };
}

on!(postgres, Postgres, PgConnection, PgSession);
on!(mysql, MySql, MySqlConnection, MySqlSession);
on!(sqlite, Sqlite, SqliteConnection, SqliteSession);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use steadfast::{MySqlSessionPool, PgSessionPool, SqliteSessionPool};

    match Args::parse().url {
        Some(url) if url.starts_with("postgres") => {
            postgres::show(&PgSessionPool::connect(url).await?).await?;
        }
        Some(url) if url.starts_with("mysql") => {
            mysql::show(&MySqlSessionPool::connect(url).await?).await?;
        }
        Some(url) => sqlite::show(&SqliteSessionPool::connect(url).await?).await?,
        None => sqlite::show(&SqliteSessionPool::in_memory().await?).await?,
    }
    Ok(())
}
