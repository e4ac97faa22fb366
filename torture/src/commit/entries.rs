//! Work that shows how often it was applied, and what its callers were told.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use steadfast::{Backend, Category, Error, Outcome, RetryBudget, RetryPolicy, SessionPool};

use super::stalls::Stall;
use crate::campaign::Front;

/// How a call deals with a COMMIT of which no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It answers `Unknown`.
    Blind,
    /// It asks the ledger.
    Verified,
}

impl Way {
    pub(super) const BOTH: [Self; 2] = [Self::Blind, Self::Verified];

    fn policy(self) -> RetryPolicy {
        let policy = RetryPolicy::immediate().max(5);
        match self {
            Self::Blind => policy,
            Self::Verified => policy.verify_commit(),
        }
    }
}

/// What must have become of the first COMMIT of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Whether it was applied, where that is certain.
    pub(super) is_applied: Option<bool>,
    /// Whether the server may have said so.
    pub(super) may_answer: bool,
    /// Whether the ledger can be asked as soon as the answer is lost.
    pub(super) has_ledger: bool,
}

/// Whether it says that nobody knows, as it has to be said.
fn is_doubt(error: &Error) -> bool {
    error.category() == Category::CommitUnknown
        && error.outcome() == Outcome::Unknown
        && !error.is_retryable()
}

/// What one call was told, and what it did meanwhile.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) id: i64,
    pub(super) way: Way,
    pub(super) attempts: u32,
    pub(super) answer: Result<(), Error>,
    /// What the latest attempt's `on_end` was told.
    pub(super) ended: Option<Outcome>,
}

impl Told {
    /// Asks the ledger where the call itself could not.
    pub(super) async fn resolve<DB: Backend>(&mut self, front: &Front, pool: &SessionPool<DB>) {
        let Err(error) = &self.answer else { return };
        if self.way == Way::Blind || error.outcome() != Outcome::Unknown {
            return;
        }
        front.report.count("resolved later", 1);
        match error.resolve(pool).await {
            Ok(outcome) => self.ended = Some(outcome),
            Err(error) => front.violation(format_args!("nobody resolves {self:?}: {error}")),
        }
    }

    /// Whether it fits what is there, which is so often.
    fn contradiction(&self, there: i64, expected: Expected) -> Option<&'static str> {
        let outcome = match &self.answer {
            Ok(()) => Outcome::Committed,
            Err(error) => error.outcome(),
        };
        let is_true = |told| match told {
            Outcome::Committed => there == 1,
            Outcome::NotSent | Outcome::RolledBack => there == 0,
            _ => true,
        };
        if there > 1 {
            return Some("is applied more than once");
        }
        if !is_true(outcome) || !self.ended.is_none_or(is_true) {
            return Some("is not what it was told");
        }
        let is_of_another_fault = expected
            .is_applied
            .is_some_and(|is_applied| is_applied != (there == 1));
        match (self.way, &self.answer) {
            (Way::Blind, _) if self.attempts > 1 => Some("was tried again"),
            (Way::Blind, Ok(())) if !expected.may_answer => {
                Some("was told of an answer that never came")
            }
            (Way::Blind, Err(error)) if !expected.may_answer && !is_doubt(error) => {
                Some("was not told of its doubt")
            }
            (Way::Blind, _) => {
                is_of_another_fault.then_some("met another fault than was meant for it")
            }
            (Way::Verified, Err(_)) if expected.has_ledger => {
                Some("was not resolved, although the ledger could be asked")
            }
            (Way::Verified, Err(_)) => (self.ended == Some(Outcome::Unknown))
                .then_some("is in doubt for ever, although its token tells"),
            (Way::Verified, Ok(())) => {
                let takes = |is_applied| if is_applied { 1 } else { 2 };
                expected
                    .is_applied
                    .is_some_and(|is_applied| takes(is_applied) != self.attempts)
                    .then_some("was resolved wrongly: these are not the attempts that it takes")
            }
        }
    }

    /// Notes it.
    pub(super) fn judge(
        &self,
        front: &Front,
        what: impl fmt::Display,
        there: i64,
        expected: Expected,
    ) {
        match (&self.answer, self.way) {
            (Err(error), Way::Blind) => {
                let is_unknown = error.outcome() == Outcome::Unknown;
                front.report.count("unknown", is_unknown.into());
            }
            // Where there may have been an answer nobody knows whether the ledger was asked.
            (Ok(()), Way::Verified) => front
                .report
                .count("verified", (!expected.may_answer).into()),
            _ => {}
        }
        if let Some(contradiction) = self.contradiction(there, expected) {
            front.violation(format_args!(
                "{what}: it {contradiction}: there {there} times, {self:?}"
            ));
        }
    }
}

/// A pool whose calls may try again as often as they like.
pub(super) async fn open<DB: Backend>(
    builder: steadfast::PoolBuilder<DB>,
    commit_timeout: Option<Duration>,
) -> SessionPool<DB> {
    let mut builder = builder.retry_budget(RetryBudget::unlimited());
    if let Some(limit) = commit_timeout {
        builder = builder.commit_timeout(limit);
    }
    builder.connect().await.expect("a pool")
}

/// A place with a table that takes an id as often as it comes.
pub(super) trait Entries<DB: Backend> {
    /// Makes the tables.
    fn set_up(&self) -> impl Future<Output = ()> + Send;

    /// One call, which enters a fresh id. `stall` keeps the COMMIT of its first attempt from ending.
    fn enter(
        &self,
        pool: &SessionPool<DB>,
        way: Way,
        stall: Option<&Stall<DB>>,
    ) -> impl Future<Output = Told> + Send;

    /// The same by plain sqlx, with an id that may have been tried before.
    fn enter_plainly(
        &self,
        pool: &sqlx::Pool<DB>,
        id: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// How often an id is there, by a direct connection.
    fn there(&self, id: i64) -> impl Future<Output = i64> + Send;
}

/// An id that no other call of this process has.
pub(super) fn fresh() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

each_server! {
    use super::{Entries, Stall, Told, Way, fresh};
    use std::sync::{Arc, Mutex};
    use std::sync::atomic::{AtomicU32, Ordering};
    use steadfast::Error;

    const ENTER: &str = "INSERT INTO entries (id) VALUES ($1)";

    impl Entries<Db> for Place {
        async fn set_up(&self) {
            let table = "CREATE TABLE entries (id BIGINT NOT NULL)";
            sqlx::raw_sql(table).execute(&self.plain).await.expect("a table");
            self.pool(1).await.install().await.expect("a ledger");
        }

        async fn enter(&self, pool: &Pool, way: Way, stall: Option<&Stall<Db>>) -> Told {
            let id = fresh();
            let (attempts, ended) = (AtomicU32::new(0), Arc::new(Mutex::new(None)));
            let answer = pool
                .operation("torture::commit")
                .retry(way.policy())
                .run(async |session| {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    let ended = Arc::clone(&ended);
                    session.on_end(move |outcome| *ended.lock().expect("no panic") = Some(outcome));
                    sqlx::query(sql(ENTER)).bind(id).execute(&mut *session).await?;
                    if let Some(stall) = stall.filter(|_| session.attempt() == 1) {
                        let backend = sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?;
                        stall.meets(backend);
                        if let Some(text) = stall.in_session {
                            sqlx::raw_sql(text).execute(&mut *session).await?;
                        }
                        stall.begin().await?;
                    }
                    Ok::<_, Error>(())
                })
                .await;
            let ended = ended.lock().expect("no panic").take();
            Told { id, way, attempts: attempts.into_inner(), answer, ended }
        }

        async fn enter_plainly(&self, pool: &Plain, id: i64) -> sqlx::Result<()> {
            let mut transaction = pool.begin().await?;
            sqlx::query(sql(ENTER)).bind(id).execute(&mut *transaction).await?;
            transaction.commit().await
        }

        async fn there(&self, id: i64) -> i64 {
            self.count(&format!("entries WHERE id = {id}")).await
        }
    }
}
