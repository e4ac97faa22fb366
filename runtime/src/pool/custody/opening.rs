//! The way to a session's statement: its turn, its connection, its BEGIN, its savepoints.

use tokio::time::{Instant, timeout_at};

use super::Custody;
use crate::backend::{Backend, Begin};
use crate::error::{Category, Ends, Error, Outcome, Phase, verdict};
use crate::pool::acquire::expect_runtime;
use crate::pool::loan::Loan;
use crate::pool::registry::SessionStage;
use crate::pool::settings::{AFTER_DEADLINE, PING_TIMEOUT};
use crate::shield::{Busy, State};

impl<DB: Backend> Custody<DB> {
    /// Makes everything ready for a user statement: what is in flight is over, the transaction open, the
    /// savepoints of the bodies that run set.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        self.ready_for(false).await
    }

    /// The same for somebody who uses the connection itself.
    pub(crate) async fn lend(&mut self) -> Result<&mut DB::Connection, Error> {
        self.ready_for(true).await?;
        Ok(self.machine.lend_connection())
    }

    async fn ready_for(&mut self, lent: bool) -> Result<(), Error> {
        if self.machine.life.outcome().is_some() {
            return Err(
                Error::new(Category::Programming, Phase::Body, "the session has ended")
                    .with_help("begin another one"),
            );
        }
        expect_runtime(if self.state() == State::Unopened {
            Phase::Acquire
        } else {
            Phase::Body
        })?;
        // What this meets dooms the level it belongs to.
        let _ = self.machine.settle().await;
        let life = &self.machine.life;
        if let Some(first) = life.doom() {
            let outcome = life.outcome_of_failure();
            return Err(Error::doomed(first, Phase::Body).with_outcome(outcome));
        }
        if self.state() == State::Unopened {
            let opened = self.open(lent).await;
            if opened.is_err() && !self.machine.holds_connection() {
                // It holds nothing and waits for nothing.
                self.listing = None;
            }
            opened.map_err(|error| self.overdue(error))?;
        }
        let marked = self.machine.mark(lent).await;
        marked.map_err(|error| {
            let outcome = self.machine.life.outcome_of_failure();
            Error::from_driver(error, Phase::Body).with_outcome(outcome)
        })
    }

    /// What became of the work of the levels that were left, by a call with this deadline. Where somebody may have
    /// committed it unseen, the rollback of those levels is sent at once: only the database's answer tells then, for which
    /// nobody waits long.
    pub(crate) async fn undone(&mut self, deadline: Option<Instant>) -> Outcome {
        let outcome = self.machine.life.once_undone();
        if outcome != Outcome::Unknown {
            return outcome;
        }
        if expect_runtime(Phase::Body).is_err() {
            return self.machine.life.outcome_of_failure();
        }
        let now = Instant::now();
        let until = deadline.map_or(now + self.pool.settings().acquire_timeout, |deadline| {
            deadline.max(now) + AFTER_DEADLINE
        });
        let is_quiet = timeout_at(until, self.settle()).await.is_ok();
        let life = &self.machine.life;
        if !is_quiet || life.doom().is_some() || life.state() != State::Active {
            // The whole session is undone with them, or it is told too late.
            return life.outcome_of_failure();
        }
        match timeout_at(until, self.machine.mark(false)).await {
            Ok(Ok(())) => Outcome::RolledBack,
            Ok(Err(_)) => Outcome::Unknown,
            // It is on its way, and the end of the session will tell.
            Err(_elapsed) => self.machine.life.outcome_of_failure(),
        }
    }

    async fn open(&mut self, lent: bool) -> Result<(), Error> {
        self.list();
        let busy_until = self.no_later(Instant::now() + self.lock_timeout());
        let mut until = self.within_acquire_timeout();
        let mut answer_until = until;
        let mut busy = Busy::until(busy_until);
        let mut queues = self.queues;
        loop {
            if !self.machine.holds_connection() {
                let turn = if queues {
                    self.pool.turn(busy_until).await?
                } else {
                    None
                };
                if turn.is_some() {
                    until = self.within_acquire_timeout();
                }
                let loan = self.pool.loan(turn, until).await?;
                answer_until = self.within_acquire_timeout();
                self.runtime = loan.runtime();
                self.machine.lend(loan);
                self.entry.reached(SessionStage::Open);
            }
            let was_idle = self.machine.carrier().is_some_and(Loan::was_idle);
            let begin = Begin {
                // A nested call's deadline is not the transaction's: the limit would outlive that call.
                limit: self
                    .whole
                    .map(|deadline| deadline.saturating_duration_since(Instant::now())),
                owner: self.owner(),
                ..self.begin
            };
            let Err(error) = self.machine.open(begin, lent, answer_until).await else {
                if !self.queues
                    && let Some(loan) = self.machine.carrier_mut()
                {
                    // It has its lock, and is in no writer's way any more.
                    loan.end_turn();
                }
                return Ok(());
            };
            let now = Instant::now();
            let again = match verdict(&error).ends {
                // Writers that follow one another at once leave a reader no gap: it takes a turn among them, and no
                // connection until then.
                _ if DB::is_busy(&error) && !queues && self.pool.has_gate() => {
                    queues = true;
                    self.entry.reached(SessionStage::Waiting);
                    drop(self.machine.take_back());
                    now < busy_until
                }
                _ if DB::is_busy(&error) && self.machine.holds_connection() => {
                    // The last one shall answer too: a lock that is held is no connection that is lost.
                    answer_until = busy_until
                        + match self.deadline {
                            Some(_) => AFTER_DEADLINE,
                            None => PING_TIMEOUT,
                        };
                    busy.wait().await
                }
                // The server went while the connection was idle. Nothing was begun, so nothing is repeated.
                Ends::Connection => was_idle && now < until,
                _ => false,
            };
            if !again {
                return Err(Error::from_driver(error, Phase::Begin).with_outcome(Outcome::NotSent));
            }
        }
    }

    fn within_acquire_timeout(&self) -> Instant {
        self.no_later(Instant::now() + self.pool.settings().acquire_timeout)
    }
}
