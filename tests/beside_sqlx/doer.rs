//! Who runs a scenario: a pool of plain sqlx or one of steadfast, in the same words.

use std::fmt;

use sqlx::pool::PoolConnection;
use sqlx::{Acquire as _, ColumnIndex, Decode, Executor, IntoArguments, Transaction, Type};
use steadfast::{Backend, Lease, Outcome, Session, SessionPool};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Sqlx,
    Steadfast,
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sqlx => "sqlx",
            Self::Steadfast => "steadfast",
        })
    }
}

/// What a call was told, by the error type of either.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Sqlx(sqlx::Error),
    #[error("{0}")]
    Steadfast(steadfast::Error),
}

impl Failure {
    /// What became of the work; sqlx does not say.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Sqlx(_) => None,
            Self::Steadfast(error) => Some(error.outcome()),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

impl From<steadfast::Error> for Failure {
    fn from(error: steadfast::Error) -> Self {
        Self::Steadfast(error)
    }
}

fn ours(error: sqlx::Error) -> Failure {
    steadfast::Error::from(error).into()
}

pub enum Doer<DB: Backend> {
    Sqlx(sqlx::Pool<DB>),
    Steadfast(SessionPool<DB>),
}

/// A transaction begun by hand.
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few, and a box would be in every line"
)]
pub enum Work<DB: Backend> {
    Sqlx(Transaction<'static, DB>),
    Steadfast(Session<DB>),
}

/// A connection taken by hand.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few, and a box would be in every line"
)]
#[allow(dead_code, reason = "it is held, and dropped")]
pub enum Held<DB: Backend> {
    Sqlx(PoolConnection<DB>),
    Steadfast(Lease<DB>),
}

impl<DB: Backend> Clone for Doer<DB> {
    fn clone(&self) -> Self {
        match self {
            Self::Sqlx(pool) => Self::Sqlx(pool.clone()),
            Self::Steadfast(pool) => Self::Steadfast(pool.clone()),
        }
    }
}

impl<DB: Backend> fmt::Debug for Work<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlx(_) => "a transaction",
            Self::Steadfast(_) => "a session",
        })
    }
}

impl<DB: Backend> Doer<DB> {
    pub async fn connect(who: Who, url: &str, max: u32) -> Self {
        match who {
            Who::Sqlx => {
                let options = sqlx::pool::PoolOptions::<DB>::new().max_connections(max);
                Self::Sqlx(options.connect(url).await.unwrap())
            }
            Who::Steadfast => {
                let builder = SessionPool::builder().primary(url).max_connections(max);
                Self::Steadfast(builder.connect().await.unwrap())
            }
        }
    }

    /// Whether nobody holds a slot.
    pub fn is_free(&self) -> bool {
        match self {
            Self::Sqlx(pool) => pool.size() as usize == pool.num_idle(),
            Self::Steadfast(pool) => pool.stats().in_use == 0,
        }
    }

    pub async fn begin(&self) -> Result<Work<DB>, Failure> {
        Ok(match self {
            Self::Sqlx(pool) => Work::Sqlx(pool.begin().await?),
            Self::Steadfast(pool) => Work::Steadfast(pool.begin().await?),
        })
    }

    pub async fn acquire(&self) -> Result<Held<DB>, Failure> {
        Ok(match self {
            Self::Sqlx(pool) => Held::Sqlx(pool.acquire().await?),
            Self::Steadfast(pool) => Held::Steadfast(pool.acquire().await?),
        })
    }

    /// Closes it, without waiting for what somebody still holds.
    pub fn close(&self) -> impl Future<Output = ()> + use<DB> {
        let doer = self.clone();
        async move {
            match doer {
                Self::Sqlx(pool) => pool.close().await,
                Self::Steadfast(pool) => drop(pool.close().await),
            }
        }
    }
}

impl<DB> Doer<DB>
where
    DB: Backend<Arguments: IntoArguments<DB>>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    i64: Type<DB> + for<'r> Decode<'r, DB>,
    usize: ColumnIndex<DB::Row>,
{
    /// The next user's write, in autocommit.
    pub async fn note(&self, id: i64) -> Result<(), Failure> {
        match self {
            Self::Sqlx(pool) => drop(sqlx::query(insert(id)).execute(pool).await?),
            Self::Steadfast(pool) => {
                drop(sqlx::query(insert(id)).execute(pool).await.map_err(ours)?)
            }
        }
        Ok(())
    }

    /// The first value of the first row, in autocommit.
    pub async fn number(&self, text: &'static str) -> Result<i64, Failure> {
        match self {
            Self::Sqlx(pool) => Ok(sqlx::query_scalar(text).fetch_one(pool).await?),
            Self::Steadfast(pool) => sqlx::query_scalar(text).fetch_one(pool).await.map_err(ours),
        }
    }
}

impl<DB> Work<DB>
where
    DB: Backend<Arguments: IntoArguments<DB>>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    i64: Type<DB> + for<'r> Decode<'r, DB>,
    usize: ColumnIndex<DB::Row>,
{
    pub async fn execute(&mut self, text: &'static str) -> Result<(), Failure> {
        match self {
            Self::Sqlx(transaction) => {
                sqlx::query(text).execute(&mut **transaction).await?;
            }
            Self::Steadfast(session) => {
                let done = sqlx::query(text).execute(session).await;
                done.map_err(ours)?;
            }
        }
        Ok(())
    }

    pub async fn number(&mut self, text: &'static str) -> Result<i64, Failure> {
        match self {
            Self::Sqlx(transaction) => Ok(sqlx::query_scalar(text)
                .fetch_one(&mut **transaction)
                .await?),
            Self::Steadfast(session) => {
                let number = sqlx::query_scalar(text).fetch_one(session).await;
                number.map_err(ours)
            }
        }
    }

    pub async fn note(&mut self, id: i64) -> Result<(), Failure> {
        match self {
            Self::Sqlx(transaction) => {
                sqlx::query(insert(id)).execute(&mut **transaction).await?;
            }
            Self::Steadfast(session) => {
                let done = sqlx::query(insert(id)).execute(session).await;
                done.map_err(ours)?;
            }
        }
        Ok(())
    }

    /// A transaction inside of this one, that writes and ends well.
    pub async fn nested(&mut self, id: i64) -> Result<(), Failure> {
        match self {
            Self::Sqlx(transaction) => {
                let mut inner = transaction.begin().await?;
                sqlx::query(insert(id)).execute(&mut *inner).await?;
                inner.commit().await?;
            }
            Self::Steadfast(session) => {
                let inner = session.savepoint(async |session| {
                    sqlx::query(insert(id)).execute(session).await?;
                    Ok::<_, steadfast::Error>(())
                });
                inner.await?;
            }
        }
        Ok(())
    }

    pub async fn commit(self) -> Result<(), Failure> {
        match self {
            Self::Sqlx(transaction) => Ok(transaction.commit().await?),
            Self::Steadfast(session) => Ok(session.commit().await?),
        }
    }

    pub async fn rollback(self) -> Result<(), Failure> {
        match self {
            Self::Sqlx(transaction) => Ok(transaction.rollback().await?),
            Self::Steadfast(session) => Ok(session.rollback().await?),
        }
    }
}

fn insert(id: i64) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("INSERT INTO notes VALUES ({id}, 'note {id}')"))
}
