//! The ledger of a pool's database: its table, and what it says of a commit.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::SessionPool;
use super::settings::RESOLVE_TIMEOUT;
use crate::backend::{Backend, Statement, first_row};
use crate::error::{Category, Error, Integrity, Outcome, Phase, verdict};
use crate::ledger::{Mark, TOKENS_CERTAIN, Token, Trouble, forget, schema};
use crate::retry::Reconnect;

impl<DB: Backend> SessionPool<DB> {
    /// The SQL of the tables that steadfast needs, for migrations of your own: the ledger of `verify_commit`.
    pub const SCHEMA: &'static str = schema(DB::DIALECT);

    /// Makes the tables of [`SCHEMA`](Self::SCHEMA) where they are not there, and tries them. Several programs may do
    /// so at the same time, and a program that may not make tables where they are there.
    ///
    /// # Errors
    /// Where they may not be made, or where the table there is another version's, may not be used, or could not tell
    /// one commit from another.
    ///
    /// # Cost
    /// Six round trips where they are there, eleven otherwise.
    ///
    /// # Cancellation
    /// A table is made or is not.
    pub async fn install(&self) -> Result<(), Error> {
        if self.try_ledger().await.is_ok() {
            return Ok(());
        }
        // Refused also where somebody else makes them at the same moment.
        let made = self.send(Self::SCHEMA.to_owned()).await;
        let Err(error) = self.try_ledger().await else {
            return Ok(());
        };
        let is_missing = matches!(error.code(), Some("42P01" | "1146"));
        Err(made.err().filter(|_| is_missing).unwrap_or(error))
    }

    /// Writes a token, reads it, is refused when it writes it again, and finds it gone once that is undone.
    async fn try_ledger(&self) -> Result<(), Error> {
        let token = Token::fresh();
        let note = || AssertSqlSafe(token.note(DB::DIALECT, Mark::Fenced));
        let question = || AssertSqlSafe(token.ask(DB::DIALECT));
        let mut session = self.begin().await?;
        let tried = async {
            sqlx::Executor::execute(&mut session, note()).await?;
            sqlx::Executor::fetch_one(&mut session, question()).await?;
            Ok(sqlx::Executor::execute(&mut session, note()).await.err())
        };
        let tried = tried.await;
        session.rollback().await?;
        let again = tried.map_err(|error| match Trouble::of::<DB>(&error) {
            Some(trouble) => trouble.explain(error).with_outcome(Outcome::RolledBack),
            None => Error::from_driver(error, Phase::Body).with_outcome(Outcome::RolledBack),
        })?;
        match again.map(|error| Error::from_driver(error, Phase::Body)) {
            Some(error) if error.category() == Category::Integrity(Integrity::Unique) => {}
            Some(error) => return Err(error),
            None => return Err(unfit("the table `steadfast_ledger` takes a token twice")),
        }
        let left = sqlx::Executor::fetch_optional(self, question()).await?;
        if left.is_some() {
            return Err(unfit(
                "the table `steadfast_ledger` keeps what was rolled back",
            ));
        }
        Ok(())
    }

    /// Deletes the tokens in the ledger that are older, a day at least. A pool that verifies commits does so by itself
    /// once an hour for those older than a week.
    ///
    /// # Errors
    /// `Programming` for less than a day: whoever asks for a commit must find its token for so long, or would be told
    /// that the work is not there. Those of any statement.
    pub async fn forget_tokens(&self, older_than: Duration) -> Result<(), Error> {
        if older_than < TOKENS_CERTAIN {
            return Err(Error::new(
                Category::Programming,
                Phase::Body,
                "tokens of less than a day may still be asked for",
            )
            .with_help("use `forget_tokens(Duration::from_hours(24))` or more"));
        }
        self.send(forget(DB::DIALECT, older_than)).await
    }

    async fn send(&self, sql: String) -> Result<(), Error> {
        sqlx::Executor::execute(self, AssertSqlSafe(sql)).await?;
        Ok(())
    }

    /// What the ledger says by `until`; `None` where it could not be asked.
    pub(crate) async fn ask_ledger(&self, token: &Token, until: Instant) -> Option<Outcome> {
        let mut reconnect = Reconnect::new();
        loop {
            match timeout_at(until, self.ask_once(token)).await {
                Ok(Ok(Outcome::RolledBack)) if !token.proves_by_absence() => {
                    return Some(Outcome::Unknown);
                }
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

    async fn ask_once(&self, token: &Token) -> Result<Outcome, Error> {
        let note = token.note(DB::DIALECT, Mark::Fenced);
        let question = AssertSqlSafe(token.ask(DB::DIALECT));
        let row = if self.is_closed() {
            // A pool that closes takes no new work, and waits for this.
            let mut connection = DB::connect(self.shared.links.manager().line.options()).await?;
            match DB::batch(&mut connection, note.into()).await {
                Ok(()) => return Ok(Outcome::RolledBack),
                Err(error) if is_there(&error) => {}
                Err(error) => return Err(error.into()),
            }
            let row =
                first_row::<DB>(DB::fetch_many(&mut connection, Statement::of(question))).await?;
            row.ok_or(sqlx::Error::RowNotFound)?
        } else {
            match sqlx::Executor::execute(self, AssertSqlSafe(note)).await {
                // It was not there, and from here on it cannot be.
                Ok(_) => return Ok(Outcome::RolledBack),
                Err(error) if is_there(&error) => {}
                Err(error) => return Err(error.into()),
            }
            sqlx::Executor::fetch_one(self, question).await?
        };
        Ok(match DB::first_number(&row)? {
            1 => Outcome::Committed,
            _ => Outcome::RolledBack,
        })
    }
}

/// Whether somebody has written the token already.
fn is_there(error: &sqlx::Error) -> bool {
    verdict(error).category == Category::Integrity(Integrity::Unique)
}

fn unfit(what: &'static str) -> Error {
    Error::new(Category::Programming, Phase::Body, what).with_help(
        "drop it where nobody needs it, and make it with the SQL of `SessionPool::SCHEMA`",
    )
}

impl Error {
    /// Asks again what became of work whose commit is in doubt. For errors of functions with `verify_commit`, once the
    /// server can be reached again.
    ///
    /// # Guarantee
    /// `Committed` and `RolledBack` are certain, whoever asks and however often: once it was found not to be there, a
    /// commit never will be. `Unknown` where the server still cannot answer, where a token is not there that is older
    /// than a day (see [`forget_tokens`](SessionPool::forget_tokens)), and where the session could have committed a
    /// part of its work by itself (a procedure on MySQL, a lent connection) and the commit was not applied. An error
    /// that is not in doubt answers what it has. `pool` must reach the database of the call.
    ///
    /// # Errors
    /// `Programming` where the function does not verify its commits, so that there is no token to ask for.
    ///
    /// # Cost
    /// One round trip or two, for each attempt in doubt; 10 s at most.
    ///
    /// # Cancellation
    /// Ask again.
    pub async fn resolve<DB: Backend>(&self, pool: &SessionPool<DB>) -> Result<Outcome, Self> {
        if self.outcome() != Outcome::Unknown {
            return Ok(self.outcome());
        }
        if self.tokens().is_empty() {
            return Err(Self::new(
                Category::Programming,
                Phase::Commit,
                "nothing tells what became of this commit",
            )
            .with_help(
                "no token of this call went with it: the function is without `verify_commit`, its connection was lost ahead of COMMIT, or it is another session's commit that is in doubt",
            )
            .with_outcome(Outcome::Unknown));
        }
        let until = Instant::now() + RESOLVE_TIMEOUT;
        let mut all = Outcome::RolledBack;
        for token in self.tokens() {
            match pool.ask_ledger(token, until).await {
                Some(Outcome::Committed) => return Ok(Outcome::Committed),
                Some(Outcome::RolledBack) => {}
                _ => all = Outcome::Unknown,
            }
        }
        Ok(all)
    }
}
