//! Ten thousand transfers by 64 tasks, while every fifth call is dropped, panics, fails, or loses a nested call
//! half-way; then the database is asked whether anything went wrong.
//!
//! ```text
//! cargo run --example quickstart
//! cargo run --example quickstart -- --url postgres://… --chaos 50
//! ```
//!
//! No server is needed: without `--url` the bank is SQLite in a temporary file. `plain_sqlx` is the same job without
//! steadfast. Exit code 1 if a promise is broken, or if a kind of fault never happened.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use sqlx::{MySql, Postgres, Sqlite};
use steadfast::{
    Backend, MySqlSession, Outcome, PgSession, SessionError, SessionPool, SqliteSession,
    db_error_handling, operations, retry, with_session,
};
use steadfast_examples::{
    Args, Bank, Branch, Engine, Leftover, OnPurpose, Order, Refusal, Report, Statements, Step,
    exit_code,
};

#[derive(Debug, thiserror::Error, SessionError)]
enum BankError {
    #[error("the account has less than that")]
    TooLittleMoney,
    #[error("failed on purpose")]
    OnPurpose,
    #[session]
    #[error(transparent)]
    Db(steadfast::Error),
}

impl From<OnPurpose> for BankError {
    fn from(_: OnPurpose) -> Self {
        Self::OnPurpose
    }
}

impl From<BankError> for Refusal {
    fn from(error: BankError) -> Self {
        match error {
            BankError::TooLittleMoney => Self::TooLittleMoney,
            BankError::OnPurpose => Self::OnPurpose,
            BankError::Db(error) if error.outcome() == Outcome::Unknown => {
                Self::InDoubt(error.category().to_string())
            }
            BankError::Db(error) => Self::Database(error.category().to_string()),
        }
    }
}

/// A branch over a pool of sessions. The functions are the same for every database, but for the type of the session
/// and how a parameter is written.
struct SteadfastBranch<DB: Backend> {
    pool: SessionPool<DB>,
}

macro_rules! branch {
    ($module:ident: $Session:ident over $Database:ident, sql: $sql:expr) => {
        mod $module {
            use super::*;

            const SQL: Statements = $sql;

            #[with_session(isolation = serializable)]
            #[retry(exponential, max = 10)]
            #[db_error_handling]
            async fn transfer(session: &mut $Session, order: Order) -> Result<(), BankError> {
                let cents: i64 = sqlx::query_scalar(SQL.balance)
                    .bind(order.from)
                    .fetch_one(&mut *session)
                    .await?;
                if cents < order.cents {
                    return Err(BankError::TooLittleMoney);
                }
                sqlx::query(SQL.change)
                    .bind(-order.cents)
                    .bind(order.from)
                    .execute(&mut *session)
                    .await?;
                order.mischief.strike(Step::Debited)?;

                // A memo is nice to have: it gets little time, and the transfer goes on without it.
                if let Some(memo) = order
                    .mischief
                    .lose_patience(memo(&mut *session, order.id))
                    .await
                {
                    memo?;
                }

                sqlx::query(SQL.change)
                    .bind(order.cents)
                    .bind(order.to)
                    .execute(&mut *session)
                    .await?;
                order.mischief.strike(Step::Credited)?;
                sqlx::query(SQL.journal)
                    .bind(order.id)
                    .bind(order.from)
                    .bind(order.to)
                    .bind(order.cents)
                    .execute(&mut *session)
                    .await?;
                order.mischief.strike(Step::Written)?;
                Ok(())
            }

            #[with_session]
            async fn memo(session: &mut $Session, transfer: i64) -> Result<(), BankError> {
                sqlx::query(SQL.memo)
                    .bind(transfer)
                    .execute(&mut *session)
                    .await?;
                Ok(())
            }

            impl Branch for SteadfastBranch<$Database> {
                async fn transfer(&self, order: Order) -> Result<(), Refusal> {
                    Ok(transfer(&self.pool, order).await?)
                }

                async fn note_incident(&self, transfer: i64) -> sqlx::Result<()> {
                    sqlx::query(SQL.incident)
                        .bind(transfer)
                        .execute(&self.pool)
                        .await
                        .map(|_| ())
                }

                fn retries(&self) -> BTreeMap<String, u64> {
                    let retries = operations().flat_map(|operation| operation.stats().retries());
                    retries
                        .map(|(category, count)| (category.to_string(), count))
                        .collect()
                }

                fn leftovers(&self) -> Vec<Leftover> {
                    vec![
                        Leftover {
                            promise: "no session left",
                            count: self.pool.sessions().len(),
                        },
                        Leftover {
                            promise: "no slot held",
                            count: self.pool.stats().in_use,
                        },
                    ]
                }
            }
        }
    };
}

branch!(postgres: PgSession over Postgres, sql: Statements::DOLLARS);
branch!(mysql: MySqlSession over MySql, sql: Statements::QUESTION_MARKS);
branch!(sqlite: SqliteSession over Sqlite, sql: Statements::DOLLARS);

async fn run<DB: Backend>(pool: SessionPool<DB>, args: &Args, bank: &Bank) -> anyhow::Result<bool>
where
    SteadfastBranch<DB>: Branch,
{
    bank.set_up().await?;
    Report::announce("steadfast quickstart", args, bank);
    let branch = Arc::new(SteadfastBranch { pool });
    let tally = steadfast_examples::run(Arc::clone(&branch), args).await;
    let report = Report::of(branch.as_ref(), args, bank, &tally).await?;
    branch.pool.close().await;
    if report.broken() > 0 {
        println!("Broken promises: {}.", report.broken());
    } else if report.holds() {
        println!("Every promise held.");
    } else {
        println!(
            "Every promise held, but a kind of fault never happened: ask for more transfers or more chaos."
        );
    }
    Ok(report.holds())
}

async fn start() -> anyhow::Result<bool> {
    let args = Args::read();
    let bank = Bank::find(&args)?;
    match bank.engine {
        Engine::Postgres => {
            let pool = SessionPool::<Postgres>::connect(&bank.url).await?;
            run(pool, &args, &bank).await
        }
        Engine::MySql => {
            let pool = SessionPool::<MySql>::connect(&bank.url).await?;
            run(pool, &args, &bank).await
        }
        Engine::Sqlite => {
            let pool = SessionPool::<Sqlite>::builder().primary_with(bank.sqlite()?);
            run(pool.connect().await?, &args, &bank).await
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(start().await)
}
