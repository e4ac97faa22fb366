//! How an error reads: what happened, what to do, and in which operation.

use std::fmt;

use super::error::Error;
use super::node::Node;
use super::outcome::Outcome;
use super::wording;

/// What happened, without where and what to do.
pub(super) struct Said<'a>(pub(super) &'a Node);

impl fmt::Display for Said<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.0;
        if let Some(message) = &node.message {
            return formatter.write_str(message);
        }
        let Some(said) = &node.summary else {
            return formatter.write_str(wording::headline(node.category));
        };
        if node.doomed {
            write!(
                formatter,
                "the session can only be rolled back because of an earlier error: `{}`",
                said.message()
            )?;
        } else {
            let headline = node
                .words()
                .map_or(wording::headline(node.category), |words| words.headline);
            let place = wording::place(node.phase);
            write!(formatter, "{headline}{place}: {}", said.message())?;
        }
        match said.code() {
            Some(code) => write!(formatter, " ({code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Told(self.node_ref()).fmt(formatter)
    }
}

/// The same, and what to do, and in which operation.
pub(super) struct Told<'a>(pub(super) &'a Node);

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.0;
        Said(node).fmt(formatter)?;
        match (&node.help, node.outcome) {
            (Some(help), _) => write!(formatter, "; {help}")?,
            (None, Outcome::Unknown) => formatter.write_str(
                "; whether the work was committed is unknown, so look before it is repeated",
            )?,
            (None, Outcome::Committed) => formatter.write_str(
                "; its work, or a part of it, is committed, so look before it is repeated",
            )?,
            (None, _) if node.doomed => formatter
                .write_str("; return that error, or run what may fail inside `savepoint`")?,
            (None, _) if node.message.is_none() => {
                let help = node
                    .words()
                    .map_or(wording::help(node.category, node.phase), |words| {
                        words.help(node.phase)
                    });
                write!(formatter, "; {help}")?;
            }
            (None, _) => {}
        }
        match (node.operation, node.attempts.len()) {
            (Some(operation), 0 | 1) => write!(formatter, " (in `{operation}`)"),
            (Some(operation), attempts) => {
                write!(formatter, " (in `{operation}`, after {attempts} attempts)")
            }
            (None, _) => Ok(()),
        }
    }
}
