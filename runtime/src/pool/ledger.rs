//! The ledger of a pool's database: its table, and what it says of a commit.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SessionPool;
use super::settings::RESOLVE_TIMEOUT;
use crate::backend::Backend;
use crate::error::{Category, Error, Integrity, Outcome, Phase};
use crate::ledger::{Mark, Token, Trouble, forget, schema};
use crate::retry::Reconnect;

impl<DB: Backend> SessionPool<DB> {
    /// The SQL of the tables that steadfast needs, for migrations of your own: the ledger of `verify_commit`.
    pub const SCHEMA: &'static str = schema(DB::DIALECT);

    /// Makes the tables of [`SCHEMA`](Self::SCHEMA) where they are not there, and tries them.
    ///
    /// # Errors
    /// Where they may not be made, or where the table there is another version's.
    ///
    /// # Cost
    /// Four round trips.
    ///
    /// # Cancellation
    /// A table is made or is not.
    pub async fn install(&self) -> Result<(), Error> {
        self.send(Self::SCHEMA.to_owned()).await?;
        let mut session = self.begin().await?;
        let trial = Token::fresh().note(DB::DIALECT, Mark::Fenced);
        let tried = sqlx::Executor::execute(&mut session, AssertSqlSafe(trial)).await;
        session.rollback().await?;
        tried.map(drop).map_err(|error| {
            let trouble = Trouble::of::<DB>(&error).unwrap_or(Trouble::Unusable);
            trouble.explain(error).with_outcome(Outcome::RolledBack)
        })
    }

    /// Deletes the tokens in the ledger that are older. A pool that verifies commits does so by itself
    /// once an hour for those older than a week.
    ///
    /// # Errors
    /// Those of any statement.
    pub async fn forget_tokens(&self, older_than: Duration) -> Result<(), Error> {
        self.send(forget(DB::DIALECT, older_than.as_secs())).await
    }

    async fn send(&self, sql: String) -> Result<(), Error> {
        sqlx::Executor::execute(self, AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// What the ledger says by `until`; `None` where it could not be asked.
    pub(crate) async fn ask_ledger(&self, token: Token, until: Instant) -> Option<Outcome> {
        let mut reconnect = Reconnect::new();
        loop {
            match timeout_at(until, self.ask_once(token)).await {
                Ok(Ok(outcome)) => return Some(outcome),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the ledger could not be asked");
                    let again = Instant::now() + reconnect.pause();
                    let may_pass = error.category().is_transient()
                        || error.category() == Category::CommitUnknown;
                    if !may_pass || again >= until {
                        return None;
                    }
                    sleep_until(again).await;
                }
                Err(_elapsed) => return None,
            }
        }
    }

    async fn ask_once(&self, token: Token) -> Result<Outcome, Error> {
        match self.send(token.note(DB::DIALECT, Mark::Fenced)).await {
            // It was not there, and from here on it cannot be.
            Ok(()) => return Ok(Outcome::RolledBack),
            Err(error) if error.category() == Category::Integrity(Integrity::Unique) => {}
            Err(error) => return Err(error),
        }
        let question = AssertSqlSafe(token.ask(DB::DIALECT));
        let row = sqlx::Executor::fetch_one(self, question).await?;
        Ok(match DB::first_number(&row)? {
            1 => Outcome::Committed,
            _ => Outcome::RolledBack,
        })
    }
}

impl Error {
    /// Asks again what became of work whose commit is in doubt. For errors of functions with `verify_commit`, once the
    /// server can be reached again.
    ///
    /// # Guarantee
    /// `Committed` and `RolledBack` are certain: asked once, a commit that was not there never will be. `Unknown` where the
    /// server still cannot answer. An error that is not in doubt answers what it has.
    ///
    /// # Errors
    /// `Programming` where the function does not verify its commits, so that there is no token to ask for.
    ///
    /// # Cost
    /// One round trip or two; 10 s at most.
    ///
    /// # Cancellation
    /// Ask again.
    pub async fn resolve<DB: Backend>(&self, pool: &SessionPool<DB>) -> Result<Outcome, Self> {
        if self.outcome() != Outcome::Unknown {
            return Ok(self.outcome());
        }
        let Some(token) = self.token() else {
            return Err(Self::new(
                Category::Programming,
                Phase::Commit,
                "nothing tells what became of this commit",
            )
            .with_help("add `verify_commit` to the function's `#[retry]`")
            .with_outcome(Outcome::Unknown));
        };
        let until = Instant::now() + RESOLVE_TIMEOUT;
        let resolved = pool.ask_ledger(token, until).await;
        Ok(resolved.unwrap_or(Outcome::Unknown))
    }
}
