//! `&pool` as a sqlx executor: one statement in a session without a transaction.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::{Either, Execute, Executor, SqlStr};
use tokio::time::Instant;

use super::SessionPool;
use super::custody::Custody;
use super::registry::Entry;
use super::settings::LOCK_TIMEOUT;
use super::steps::{Slot, Steps};
use crate::backend::{Access, Backend, Begin, BoxFuture, Statement, Step};
use crate::error::{Category, Classify, Ends, Error, Outcome, Phase, verdict};
use crate::operation::Operation;
use crate::shield::{Busy, WatchedFuture, WatchedStream, refuse, refuse_text, writes};

/// What one statement on a pool is counted as.
static AUTOCOMMIT: Operation = Operation::new("steadfast::autocommit");

/// Who reads what a statement answers.
enum Reader<DB: Backend> {
    /// Gets each step at once.
    Stream(Slot<Step<DB>>),
    /// Gets nothing before the statement has ended well.
    FirstRow(Option<DB::Row>),
}

impl<DB: Backend> Reader<DB> {
    async fn take(&mut self, step: Step<DB>) {
        match (self, step) {
            (Self::Stream(slot), step) => slot.give(step).await,
            (Self::FirstRow(row @ None), Either::Right(first)) => *row = Some(first),
            (Self::FirstRow(_), _) => {}
        }
    }

    /// Forgets what a statement has answered that undid itself, where nobody has seen it.
    fn forget(&mut self) -> bool {
        match self {
            Self::Stream(_) => false,
            Self::FirstRow(row) => {
                *row = None;
                true
            }
        }
    }
}

impl<DB: Backend> SessionPool<DB> {
    fn autocommit(&self) -> Custody<DB> {
        let begin = Begin {
            access: Access::Autocommit,
            ..Begin::default()
        };
        Custody::new(self.clone(), Entry::new(&AUTOCOMMIT, false), begin, None)
    }

    /// Runs one statement, and again where somebody else held the lock and it has done nothing.
    async fn run(
        &self,
        statement: Statement<DB>,
        reader: &mut Reader<DB>,
    ) -> Result<(), sqlx::Error> {
        refuse(&statement, false)?;
        let mut statement = statement;
        let mut busy = Busy::until(Instant::now() + LOCK_TIMEOUT);
        let mut custody = self.autocommit();
        if writes(&statement) {
            custody = custody.queued();
        }
        loop {
            ready(&mut custody).await?;
            let spare = DB::again(&statement);
            let (connection, observer) = custody.machine().sending(&statement);
            let stream = DB::fetch_many(connection, statement);
            let mut stream = WatchedStream::<DB>::new(stream, observer);
            let mut has_answered = false;
            let failed = loop {
                match poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
                    Some(Ok(step)) => {
                        has_answered = true;
                        reader.take(step).await;
                    }
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            drop(stream);
            let Some(error) = failed else {
                return end(Ok(()), custody).await;
            };
            if DB::is_busy(&error) {
                let in_doubt = custody.machine().is_in_doubt();
                let has_done_nothing = !has_answered || (!in_doubt && reader.forget());
                if has_done_nothing
                    && let Some(spare) = spare
                    && busy.wait().await
                {
                    statement = spare;
                    custody = custody.requeued().await;
                    continue;
                }
            }
            return end(Err(error), custody).await;
        }
    }
}

/// Makes a session ready for its statement. A failure is the call's answer, and counted as one.
async fn ready<DB: Backend>(custody: &mut Custody<DB>) -> Result<(), Error> {
    custody.entry().next_attempt();
    let ready = custody.ready().await;
    if let Err(error) = &ready {
        custody.entry().answered(Some(error.category()));
    }
    ready
}

/// Ends a session whose only statement failed, and tells what is not known about it.
async fn end_failed<DB: Backend>(mut custody: Custody<DB>, error: sqlx::Error) -> sqlx::Error {
    let verdict = verdict(&error);
    let in_doubt = custody.machine().is_in_doubt();
    let entry = Arc::clone(custody.entry());
    if verdict.ends == Ends::Connection {
        custody.roll_back().await;
    } else {
        custody.end_answered().await;
    }
    let outcome = if in_doubt {
        Outcome::Unknown
    } else {
        // Answered: the statement undid itself, and nothing is open.
        Outcome::RolledBack
    };
    let error = if verdict.leaves_doubt() {
        // Sent, and no answer came: the server may have done it.
        Error::from_driver(error, Phase::Body)
            .with_category(Category::CommitUnknown)
            .with_outcome(outcome)
            .into()
    } else if in_doubt {
        Error::from_driver(error, Phase::Body)
            .with_outcome(outcome)
            .into()
    } else {
        error
    };
    entry.ended(Some(outcome));
    entry.answered(Classify::category(&error));
    custody.watch(&error);
    error
}

impl<'p, DB: Backend> Executor<'p> for &'p SessionPool<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        let slot = Slot::default();
        let mut reader = Reader::Stream(slot.clone());
        let run = async move { self.run(statement, &mut reader).await };
        Box::pin(Steps::<DB>::new(Box::pin(run), slot))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        Box::pin(async move {
            let mut reader = Reader::FirstRow(None);
            self.run(statement, &mut reader).await?;
            match reader {
                Reader::FirstRow(row) => Ok(row),
                Reader::Stream(_) => Ok(None),
            }
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            refuse_text::<DB>(sql.as_str(), false)?;
            let mut custody = self.autocommit();
            ready(&mut custody).await?;
            let (connection, observer) = custody.machine().statement();
            let prepared = DB::prepare_with(connection, sql, parameters);
            let prepared = WatchedFuture::<DB, _>::new(prepared, observer).await;
            end(prepared, custody).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<DB>, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            refuse_text::<DB>(sql.as_str(), false)?;
            let mut custody = self.autocommit();
            ready(&mut custody).await?;
            let (connection, observer) = custody.machine().statement();
            let described = DB::describe(connection, sql);
            let described = WatchedFuture::<DB, _>::new(described, observer).await;
            end(described, custody).await
        })
    }
}

async fn end<DB: Backend, T>(
    result: Result<T, sqlx::Error>,
    mut custody: Custody<DB>,
) -> Result<T, sqlx::Error> {
    match result {
        Ok(value) => {
            custody.commit().await?;
            custody.entry().answered(None);
            Ok(value)
        }
        Err(error) => Err(end_failed(custody, error).await),
    }
}
