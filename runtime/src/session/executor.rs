//! `&mut Session` as a sqlx executor.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::{Execute, Executor, SqlStr};

use super::Session;
use crate::backend::{Backend, BoxFuture, Dialect, Statement, Step, first_row};
use crate::error::Error;
use crate::pool::{Slot, Steps};
use crate::shield::{WatchedFuture, WatchedStream, refuse, refuse_text, spare};

impl<DB: Backend> Session<DB> {
    fn refuse(&self, statement: &Statement<DB>) -> Result<(), sqlx::Error> {
        refuse(statement, self.custody.is_in_transaction())
    }

    async fn ready(&mut self) -> Result<&mut Self, Error> {
        self.custody.ready().await?;
        Ok(self)
    }

    /// Whether a statement has to wait by itself for whoever else writes: a transaction has done so when it began.
    fn waits_for_writers(&self) -> bool {
        DB::DIALECT == Dialect::Sqlite && !self.custody.is_in_transaction()
    }

    /// What is sent where this statement is refused because somebody else writes.
    fn spare(&self, statement: &Statement<DB>) -> Option<Statement<DB>> {
        self.waits_for_writers().then(|| spare(statement)).flatten()
    }

    /// A statement that is sent again for as long as somebody else writes and it has answered nothing.
    fn stream_patiently(
        &mut self,
        mut statement: Statement<DB>,
    ) -> BoxStream<'_, Result<Step<DB>, sqlx::Error>> {
        let slot = Slot::default();
        let yields = slot.clone();
        let run = async move {
            let mut busy = self.custody.busy();
            loop {
                self.custody.ready().await?;
                let spare = self.spare(&statement);
                let mut stream = self.start(statement);
                let mut has_answered = false;
                let error = loop {
                    match poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
                        Some(Ok(step)) => {
                            has_answered = true;
                            yields.give(step).await;
                        }
                        Some(Err(error)) => break error,
                        None => return Ok(()),
                    }
                };
                drop(stream);
                let Some(spare) = spare.filter(|_| !has_answered && DB::is_busy(&error)) else {
                    return Err(error);
                };
                if !busy.wait().await {
                    return Err(error);
                }
                statement = spare;
            }
        };
        Box::pin(Steps::<DB>::new(Box::pin(run), slot))
    }

    /// A statement on a session that is ready.
    fn start(&mut self, statement: Statement<DB>) -> WatchedStream<'_, DB> {
        let (connection, observer) = self.custody.machine().sending(&statement);
        WatchedStream::new(DB::fetch_many(connection, statement), observer)
    }
}

impl<'s, DB: Backend> Executor<'s> for &'s mut Session<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        's: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        if let Err(error) = self.refuse(&statement) {
            return Box::pin(Opening::<DB>::Refused(Some(error)));
        }
        if self.waits_for_writers() {
            return self.stream_patiently(statement);
        }
        Box::pin(Opening::Waiting(Box::pin(self.ready()), Some(statement)))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        's: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::of(query);
        Box::pin(async move {
            self.refuse(&statement)?;
            let mut statement = statement;
            let mut busy = self.custody.busy();
            loop {
                self.custody.ready().await?;
                let spare = self.spare(&statement);
                match (first_row::<DB>(self.start(statement)).await, spare) {
                    (Err(error), Some(spare)) if DB::is_busy(&error) => {
                        if !busy.wait().await {
                            return Err(error);
                        }
                        statement = spare;
                    }
                    (result, _) => return result,
                }
            }
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
    where
        's: 'e,
    {
        Box::pin(async move {
            refuse_text::<DB>(sql.as_str(), self.custody.is_in_transaction())?;
            self.custody.ready().await?;
            let (connection, observer) = self.custody.machine().statement();
            let prepared = DB::prepare_with(connection, sql, parameters);
            WatchedFuture::<DB, _>::new(prepared, observer).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<DB>, sqlx::Error>>
    where
        's: 'e,
    {
        Box::pin(async move {
            refuse_text::<DB>(sql.as_str(), self.custody.is_in_transaction())?;
            self.custody.ready().await?;
            let (connection, observer) = self.custody.machine().statement();
            WatchedFuture::<DB, _>::new(DB::describe(connection, sql), observer).await
        })
    }
}

/// A statement's stream from the wait for the session on.
enum Opening<'e, DB: Backend> {
    Refused(Option<sqlx::Error>),
    Waiting(
        BoxFuture<'e, Result<&'e mut Session<DB>, Error>>,
        Option<Statement<DB>>,
    ),
    Running(WatchedStream<'e, DB>),
}

impl<DB: Backend> Unpin for Opening<'_, DB> {}

impl<'e, DB: Backend> Stream for Opening<'e, DB> {
    type Item = Result<Step<DB>, sqlx::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut *self {
                Self::Refused(error) => return Poll::Ready(error.take().map(Err)),
                Self::Waiting(ready, statement) => match ready!(ready.as_mut().poll(context)) {
                    Ok(session) => {
                        let Some(statement) = statement.take() else {
                            return Poll::Ready(None);
                        };
                        let session: &'e mut Session<DB> = session;
                        *self = Self::Running(session.start(statement));
                    }
                    Err(error) => *self = Self::Refused(Some(error.into())),
                },
                Self::Running(stream) => return Pin::new(stream).poll_next(context),
            }
        }
    }
}
