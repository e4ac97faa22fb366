//! How a session whose statement was dropped, or whose connection was lent, goes on: what is left on the wire is read or
//! stopped, and the connection is in step again.

use super::wire::Wire;
use super::{lending, reaper};
use crate::backend::Driver;
use crate::error::{Ends, verdict};

/// How a connection on which a statement was left is made quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// It had answered: its rest is read.
    Read,
    /// It is stopped and read to its end.
    Stop,
    /// The same where it ran in no transaction, whose rollback would prove the connection: that is done here, for sqlx
    /// loses step where a statement is dropped while it is prepared.
    StopAlone,
    /// Nobody has watched what was sent: whatever runs is stopped, and the connection proven to be in step; for `renews`
    /// see [`Driver::resync`].
    TakeBack { renews: bool },
}

impl Recovery {
    /// What the unread rest said.
    pub(super) async fn run<DB: Driver>(
        self,
        wire: &mut Wire<DB>,
    ) -> Result<Option<sqlx::Error>, sqlx::Error> {
        match self {
            Self::Read => DB::drain(&mut wire.connection, &wire.tag).await,
            Self::Stop => Ok(reaper::stop::<DB>(wire).await?.error),
            Self::StopAlone => {
                let rest = reaper::stop::<DB>(wire).await?;
                DB::resync(&mut wire.connection, &mut wire.tag, false).await?;
                Ok(rest.error)
            }
            Self::TakeBack { renews } => take_back::<DB>(wire, renews).await,
        }
    }
}

/// Ends whatever the borrower of the connection has left on it.
async fn take_back<DB: Driver>(
    wire: &mut Wire<DB>,
    renews: bool,
) -> Result<Option<sqlx::Error>, sqlx::Error> {
    let undoes = lending::undoes::<DB>(&wire.connection);
    let mut rest = reaper::stop::<DB>(wire).await?;
    if undoes && rest.was_cancelled {
        // The cancel may have hit the rollback, which has to be: sent twice it does no more than once.
        match lending::undo_again::<DB>(&mut wire.connection).await {
            Ok(()) => rest.error = None,
            Err(error) if verdict(&error).ends == Ends::Connection => return Err(error),
            Err(error) => rest.error = rest.error.or(Some(error)),
        }
    }
    let gone = DB::resync(&mut wire.connection, &mut wire.tag, renews).await?;
    Ok(rest.error.or(gone))
}
