//! Where an attempt runs: in a session of its own, or inside the caller's.

use tokio::time::Instant;

use super::Session;
use super::savepoint::{Level, doom_stranger, exchanged};
use crate::backend::Backend;
use crate::error::{Classify, Error, Outcome, Phase, Summary};
use crate::pool::timed_out;
use crate::shield::Progress;

/// Dropped before it has ended, either rolls back: a session of its own through the reaper, the caller's at
/// its next statement, or as a whole where the attempt had joined it.
pub(super) enum Place<'c, DB: Backend> {
    Own(Box<Session<DB>>),
    Callers(Borrowed<'c, DB>),
}

/// The caller's session, under the earlier of two deadlines.
pub(super) struct Borrowed<'c, DB: Backend> {
    share: Share<'c, DB>,
    former: Option<Instant>,
}

enum Share<'c, DB: Backend> {
    /// A level of it.
    Level(Level<'c, DB>),
    /// All of it.
    Joined(Joined<'c, DB>),
    Left,
}

impl<'c, DB: Backend> Place<'c, DB> {
    /// One level deeper in the caller's session.
    pub(super) fn nested(session: &'c mut Session<DB>, deadline: Option<Instant>) -> Self {
        let former = hasten(session, deadline);
        session.custody().machine().life.call_begins();
        let share = Share::Level(Level::enter(session));
        Self::Callers(Borrowed { share, former })
    }

    /// As a part of what the caller does.
    pub(super) fn joined(session: &'c mut Session<DB>, deadline: Option<Instant>) -> Self {
        let former = hasten(session, deadline);
        let given = session.serial();
        let beginning = session.custody().machine().life.call_begins();
        let share = Share::Joined(Joined {
            session,
            given,
            beginning,
            failure: None,
            ended: false,
        });
        Self::Callers(Borrowed { share, former })
    }

    pub(super) fn session(&mut self) -> &mut Session<DB> {
        match self {
            Self::Own(session) => session,
            Self::Callers(borrowed) => borrowed.session(),
        }
    }

    /// What went wrong with a session of one's own may be something to look at; the caller's tells for itself.
    pub(super) fn watch(&mut self, error: &impl Classify) {
        if let Self::Own(session) = self {
            session.custody().watch(error);
        }
    }

    /// The body has failed. Who joined the caller's session takes all of it along, with this as the reason.
    pub(super) fn fail(&mut self, why: impl FnOnce() -> Option<Summary>) {
        if let Self::Callers(Borrowed {
            share: Share::Joined(joined),
            ..
        }) = self
        {
            joined.failure = why();
        }
    }
}

/// Puts the earlier of two deadlines over a session and gives the former.
fn hasten<DB: Backend>(session: &mut Session<DB>, deadline: Option<Instant>) -> Option<Instant> {
    let outer = session.custody().deadline();
    let earlier = deadline.into_iter().chain(outer).min();
    session.custody().replace_deadline(earlier)
}

impl<DB: Backend> Borrowed<'_, DB> {
    fn session(&mut self) -> &mut Session<DB> {
        match &mut self.share {
            Share::Level(level) => level.session,
            Share::Joined(joined) => joined.session,
            Share::Left => unreachable!("a nested call has its share until it ends"),
        }
    }

    fn is_exchanged(&self) -> bool {
        match &self.share {
            Share::Level(level) => level.is_exchanged(),
            Share::Joined(joined) => joined.is_exchanged(),
            Share::Left => false,
        }
    }

    pub(super) async fn leave_well(&mut self) -> Result<(), Error> {
        // Under the inner call's own deadline still: the unread rest of a stream may be long.
        if !self.session().custody().settle_in_time().await {
            let outcome = self.undo().await;
            return Err(timed_out(Phase::Body).with_outcome(outcome));
        }
        let deadline = self.session().custody().deadline();
        match self.leave() {
            Share::Level(level) => level.leave_well(deadline).await,
            Share::Joined(joined) => joined.leave_well(),
            Share::Left => unreachable!("a nested call has its share until it ends"),
        }
    }

    /// It is undone ahead of anything else that the caller's session does, its end included.
    pub(super) async fn undo(&mut self) -> Outcome {
        if self.is_exchanged() {
            drop(self.leave());
            return Outcome::Unknown;
        }
        let deadline = self.session().custody().deadline();
        match self.leave() {
            Share::Level(level) => level.undo(deadline).await,
            Share::Joined(mut joined) => joined.undone(),
            Share::Left => unreachable!("a nested call has its share until it ends"),
        }
    }

    fn leave(&mut self) -> Share<'_, DB>
    where
        Self: Sized,
    {
        let former = self.former;
        let custody = self.session().custody();
        custody.replace_deadline(former);
        custody.machine().life.call_ends();
        std::mem::replace(&mut self.share, Share::Left)
    }
}

impl<DB: Backend> Drop for Borrowed<'_, DB> {
    fn drop(&mut self) {
        if !matches!(self.share, Share::Left) {
            drop(self.leave());
        }
    }
}

/// A call without a savepoint. Unless it ends well it dooms the session.
struct Joined<'s, DB: Backend> {
    session: &'s mut Session<DB>,
    /// Which session that was when the call began.
    given: u64,
    /// What the session had done then.
    beginning: Progress,
    failure: Option<Summary>,
    ended: bool,
}

impl<DB: Backend> Joined<'_, DB> {
    /// As a level's: an `Ok` that has swallowed what dooms is none. To be settled before.
    fn leave_well(mut self) -> Result<(), Error> {
        if self.is_exchanged() {
            return Err(exchanged());
        }
        let doom = self.session.custody().machine().life.doom().cloned();
        if let Some(first) = doom {
            let error = Error::doomed(&first, Phase::Body).with_outcome(self.undone());
            self.failure = Some(first);
            return Err(error);
        }
        self.ended = true;
        Ok(())
    }

    /// What becomes of the work. It is undone with all the rest, and it is the session's end that proves it.
    fn undone(&mut self) -> Outcome {
        let life = &self.session.custody().machine().life;
        if !life.in_transaction() {
            return life.outcome_since(self.beginning);
        }
        match life.once_undone() {
            Outcome::Unknown => life.outcome_of_failure(),
            outcome => outcome,
        }
    }

    fn is_exchanged(&self) -> bool {
        self.session.serial() != self.given
    }
}

impl<DB: Backend> Drop for Joined<'_, DB> {
    fn drop(&mut self) {
        if self.is_exchanged() {
            return doom_stranger(self.session);
        }
        let life = &mut self.session.custody().machine().life;
        // Without a transaction there is nothing to doom: what was done is done.
        if !self.ended && life.in_transaction() {
            life.doom_session(
                self.failure
                    .take()
                    .unwrap_or_else(Summary::joined_call_failed),
            );
        }
    }
}
