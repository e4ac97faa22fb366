//! The job of `quickstart`, written with sqlx alone, the way somebody writes it who knows sqlx well: a pool,
//! serializable transactions (`BEGIN IMMEDIATE` and WAL on SQLite), a retry loop with backoff and jitter for what
//! the database calls transient, and a COMMIT that lost its connection is not retried.
//!
//! ```text
//! cargo run --example plain_sqlx
//! cargo run --example plain_sqlx -- --url postgres://… --seed 7
//! ```
//!
//! It is a demonstration and exits 0 whatever it finds.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{MySql, Pool, Postgres, Sqlite, Transaction};
use steadfast_examples::{
    Args, Bank, Branch, Engine, Leftover, OnPurpose, Order, Refusal, Report, Retries, Statements,
    Step, exit_code,
};

const MAX_ATTEMPTS: u32 = 10;

#[derive(Debug, thiserror::Error)]
enum BankError {
    #[error("the account has less than that")]
    TooLittleMoney,
    #[error("failed on purpose")]
    OnPurpose,
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    #[error("COMMIT was sent and no answer came: {0}")]
    InDoubt(sqlx::Error),
}

impl From<OnPurpose> for BankError {
    fn from(_: OnPurpose) -> Self {
        Self::OnPurpose
    }
}

/// A branch over sqlx's own pool. The fields are the same for every database; the functions differ in the types of
/// sqlx, in how a transaction begins and in how a parameter is written.
struct PlainBranch<DB: sqlx::Database> {
    pool: Pool<DB>,
    retries: Retries,
}

macro_rules! plain_branch {
    ($Database:ty, begin: $begin:literal, sql: $sql:expr) => {
        impl PlainBranch<$Database> {
            const SQL: Statements = $sql;

            /// One attempt, in a transaction of its own. Whatever returns early drops the transaction, which rolls
            /// back.
            async fn attempt(&self, order: Order) -> Result<(), BankError> {
                let mut tx = self.pool.begin_with($begin).await?;
                let cents: i64 = sqlx::query_scalar(Self::SQL.balance)
                    .bind(order.from)
                    .fetch_one(&mut *tx)
                    .await?;
                if cents < order.cents {
                    return Err(BankError::TooLittleMoney);
                }
                sqlx::query(Self::SQL.change)
                    .bind(-order.cents)
                    .bind(order.from)
                    .execute(&mut *tx)
                    .await?;
                order.mischief.strike(Step::Debited)?;

                // A memo is nice to have: it gets a savepoint and little time, and the transfer goes on without it.
                if let Some(memo) = order
                    .mischief
                    .lose_patience(Self::memo(&mut tx, order.id))
                    .await
                {
                    memo?;
                }

                sqlx::query(Self::SQL.change)
                    .bind(order.cents)
                    .bind(order.to)
                    .execute(&mut *tx)
                    .await?;
                order.mischief.strike(Step::Credited)?;
                sqlx::query(Self::SQL.journal)
                    .bind(order.id)
                    .bind(order.from)
                    .bind(order.to)
                    .bind(order.cents)
                    .execute(&mut *tx)
                    .await?;
                order.mischief.strike(Step::Written)?;
                tx.commit().await.map_err(|error| match error {
                    sqlx::Error::Database(_) => BankError::Db(error),
                    lost => BankError::InDoubt(lost),
                })
            }

            async fn memo(tx: &mut Transaction<'_, $Database>, transfer: i64) -> sqlx::Result<()> {
                let mut savepoint = sqlx::Acquire::begin(&mut *tx).await?;
                sqlx::query(Self::SQL.memo)
                    .bind(transfer)
                    .execute(&mut *savepoint)
                    .await?;
                savepoint.commit().await
            }
        }

        impl Branch for PlainBranch<$Database> {
            async fn transfer(&self, order: Order) -> Result<(), Refusal> {
                let mut attempt = 1;
                loop {
                    let error = match self.attempt(order).await {
                        Ok(()) => return Ok(()),
                        Err(BankError::TooLittleMoney) => return Err(Refusal::TooLittleMoney),
                        Err(BankError::OnPurpose) => return Err(Refusal::OnPurpose),
                        Err(BankError::InDoubt(error)) => {
                            return Err(Refusal::InDoubt(error.to_string()));
                        }
                        Err(BankError::Db(error)) => error,
                    };
                    match transient(&error) {
                        Some(cause) if attempt < MAX_ATTEMPTS => self.retries.count(cause),
                        Some(cause) => {
                            return Err(Refusal::Database(format!(
                                "{cause}, after {attempt} attempts"
                            )));
                        }
                        None => return Err(Refusal::Database(message(&error))),
                    }
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
            }

            async fn note_incident(&self, transfer: i64) -> sqlx::Result<()> {
                sqlx::query(Self::SQL.incident)
                    .bind(transfer)
                    .execute(&self.pool)
                    .await
                    .map(|_| ())
            }

            fn retries(&self) -> BTreeMap<String, u64> {
                self.retries.by_cause()
            }

            fn leftovers(&self) -> Vec<Leftover> {
                let held = (self.pool.size() as usize).saturating_sub(self.pool.num_idle());
                vec![Leftover {
                    promise: "no slot held",
                    count: held,
                }]
            }
        }
    };
}

plain_branch!(Postgres, begin: "BEGIN ISOLATION LEVEL SERIALIZABLE", sql: Statements::DOLLARS);
plain_branch!(MySql, begin: "START TRANSACTION", sql: Statements::QUESTION_MARKS);
plain_branch!(Sqlite, begin: "BEGIN IMMEDIATE", sql: Statements::DOLLARS);

/// What may go well next time, and what to call it.
fn transient(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                return match error.number() {
                    1213 => Some("conflict (deadlock)"),
                    1205 => Some("lock wait timed out"),
                    _ => None,
                };
            }
            match error.code()?.as_ref() {
                "40001" => Some("conflict (serialization)"),
                "40P01" => Some("conflict (deadlock)"),
                "55P03" => Some("lock wait timed out"),
                "5" | "261" | "517" => Some("database is busy"),
                "6" | "262" => Some("table is locked"),
                _ => None,
            }
        }
        sqlx::Error::Io(_) => Some("connection lost"),
        sqlx::Error::PoolTimedOut => Some("pool timed out"),
        _ => None,
    }
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// Full jitter: anything between nothing and 10 ms, 20 ms, 40 ms … 1 s.
fn backoff(attempt: u32) -> Duration {
    let most = Duration::from_millis(10 << (attempt - 1).min(10)).min(Duration::from_secs(1));
    most.mul_f64(fastrand::f64())
}

async fn run<DB: sqlx::Database>(pool: Pool<DB>, args: &Args, bank: &Bank) -> anyhow::Result<bool>
where
    PlainBranch<DB>: Branch,
{
    bank.set_up().await?;
    Report::announce("plain sqlx", args, bank);
    let branch = Arc::new(PlainBranch {
        pool,
        retries: Retries::default(),
    });
    let tally = steadfast_examples::run(Arc::clone(&branch), args).await;
    let report = Report::of(branch.as_ref(), args, bank, &tally).await?;
    match report.broken() {
        0 => println!("Every promise held this time."),
        1 => println!("1 promise broken, and no error said so."),
        broken => println!("{broken} promises broken, and no error said so."),
    }
    Ok(true)
}

async fn start() -> anyhow::Result<bool> {
    let args = Args::read();
    let bank = Bank::find(&args)?;
    match bank.engine {
        Engine::Postgres => {
            let pool = PgPoolOptions::new().max_connections(10);
            run(pool.connect(&bank.url).await?, &args, &bank).await
        }
        Engine::MySql => {
            // In front of each BEGIN it would fail for good on a connection that came back inside a transaction.
            let pool =
                MySqlPoolOptions::new()
                    .max_connections(10)
                    .after_connect(|connection, _| {
                        let isolation =
                            sqlx::raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE");
                        Box::pin(async move { isolation.execute(connection).await.map(|_| ()) })
                    });
            run(pool.connect(&bank.url).await?, &args, &bank).await
        }
        Engine::Sqlite => {
            let options = bank.sqlite()?.busy_timeout(Duration::from_secs(5));
            let pool = SqlitePoolOptions::new().max_connections(10);
            run(pool.connect_with(options).await?, &args, &bank).await
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(start().await)
}
