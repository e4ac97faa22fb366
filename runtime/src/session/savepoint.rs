//! A part of a session that may fail by itself.

use tokio::time::Instant;

use super::Session;
use crate::backend::Backend;
use crate::error::{Category, Error, Outcome, Phase, Summary};

impl<DB: Backend> Session<DB> {
    /// Runs `body` in a savepoint: what it did stays if it returns `Ok`, and is undone, alone, if it returns
    /// `Err`, panics, or is dropped.
    ///
    /// Written `async |s| { … }`: a closure that returns an `async` block is not general enough.
    ///
    /// # Errors
    /// Those of `body`. An `Ok` of a body that swallowed an error which had doomed the savepoint, or the
    /// session around it, is an `Err` with that error; the savepoint is undone.
    ///
    /// # Cost
    /// Nothing before the body's first statement, then one round trip.
    ///
    /// # Cancellation
    /// Dropped, it is undone before the session's next statement. A statement that was running then is
    /// cancelled on the server; on MySQL that dooms the session.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example(session: &mut steadfast::PgSession) -> Result<(), steadfast::Error> {
    /// let greeted: Result<(), steadfast::Error> = session
    ///     .savepoint(async |session| {
    ///         sqlx::query("INSERT INTO greetings (text) VALUES ('hello')")
    ///             .execute(&mut *session)
    ///             .await?;
    ///         Ok(())
    ///     })
    ///     .await;
    /// if greeted.is_err() {
    ///     // The session goes on without the greeting.
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn savepoint<T, E, F>(&mut self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        if !self.custody().is_in_transaction() {
            let error = Error::new(
                Category::Programming,
                Phase::Body,
                "an `autocommit` session has no savepoints",
            )
            .with_help("remove `autocommit`, or do without");
            return Err(error.into());
        }
        let level = Level::enter(self);
        let result = body(level.session).await;
        match result {
            Ok(value) => {
                // The unread rest of a stream may hold an error that belongs to this level.
                level.session.custody().settle().await;
                let deadline = level.session.deadline();
                level
                    .leave_well(deadline)
                    .await
                    .map(|()| value)
                    .map_err(E::from)
            }
            // Undone in `Drop`, as in every other case.
            Err(error) => Err(error),
        }
    }
}

/// One level of a session. Dropped, it is undone.
pub(super) struct Level<'s, DB: Backend> {
    pub(super) session: &'s mut Session<DB>,
    /// Which session that was when the level began.
    given: u64,
    depth: usize,
}

impl<'s, DB: Backend> Level<'s, DB> {
    pub(super) fn enter(session: &'s mut Session<DB>) -> Self {
        let given = session.serial();
        let life = &mut session.custody().machine().life;
        life.enter();
        let depth = life.depth();
        Self {
            session,
            given,
            depth,
        }
    }

    /// Keeps what the level did, unless something doomed it: then it is undone, and a call with this deadline told. To be
    /// settled before.
    pub(super) async fn leave_well(mut self, deadline: Option<Instant>) -> Result<(), Error> {
        if self.is_exchanged() {
            return Err(exchanged());
        }
        let depth = self.depth;
        self.depth = 0;
        let custody = self.session.custody();
        while custody.machine().life.depth() > depth {
            custody.leave_badly();
        }
        let Err(first) = custody.leave_well() else {
            return Ok(());
        };
        let outcome = custody.undone(deadline).await;
        Err(Error::doomed(&first, Phase::Body).with_outcome(outcome))
    }
}

impl<DB: Backend> Level<'_, DB> {
    /// Whether the body has left another session in the place of this one.
    pub(super) fn is_exchanged(&self) -> bool {
        self.session.serial() != self.given
    }

    /// Undoes what the level did, and tells what became of it, to a call with this deadline.
    pub(super) async fn undo(mut self, deadline: Option<Instant>) -> Outcome {
        self.leave_badly();
        self.session.custody().undone(deadline).await
    }

    fn leave_badly(&mut self) {
        if self.is_exchanged() {
            // Its own still has the level, and cannot be committed with it.
            doom_stranger(self.session);
            self.depth = 0;
        }
        let custody = self.session.custody();
        while self.depth > 0 && custody.machine().life.depth() >= self.depth {
            custody.leave_badly();
        }
        self.depth = 0;
    }
}

impl<DB: Backend> Drop for Level<'_, DB> {
    fn drop(&mut self) {
        self.leave_badly();
    }
}

/// What becomes of a session that a body has left in the place of its own: nobody commits it.
pub(super) fn doom_stranger<DB: Backend>(session: &mut Session<DB>) {
    let life = &mut session.custody().machine().life;
    if life.in_transaction() {
        life.doom_session(Summary::exchanged());
    }
}

/// The answer of a call whose body has exchanged its session: whoever has that now decides what becomes of its work.
pub(super) fn exchanged() -> Error {
    Error::new(
        Category::Programming,
        Phase::Body,
        "the session was exchanged for another",
    )
    .with_help("neither swap nor replace the session that a function is given")
    .with_outcome(Outcome::Unknown)
}
