//! Everything that makes a session end in exactly one of commit or rollback.
//!
//! [`life`] decides, with [`levels`] for what is nested; [`machine`] sends; [`owned`] keeps what was sent out of
//! reach of whoever drops a future; [`reaper`] ends what nobody waits for; [`observe`] watches the user's statements;
//! [`lending`] is about connections that others use meanwhile; [`scanner`] refuses those that would end the
//! transaction; [`parts`] knows those that are several; [`body`] runs the user's function.

mod alarm;
mod body;
mod busy;
mod lending;
mod levels;
mod life;
mod line;
mod machine;
mod observe;
mod owned;
mod parts;
mod reaper;
mod recovery;
mod refuse;
mod scanner;
mod wire;

pub use body::{Ended, Limits, Shielded, shielded};
pub(crate) use busy::Busy;
pub(crate) use life::{Progress, State};
pub(crate) use line::ControlLine;
pub(crate) use machine::{Committed, Machine};
pub(crate) use observe::{WatchedFuture, WatchedStream};
pub(crate) use parts::{spare, writes};
pub(crate) use reaper::terminate;
pub(crate) use refuse::{refuse, refuse_text};
#[cfg(feature = "migrate")]
pub(crate) use scanner::scan;
pub(crate) use wire::{Carrier, Wire};
