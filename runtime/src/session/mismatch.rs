//! What an inner call may ask of the session that it is called in.

use crate::backend::{Access, Backend, Begin, Dialect};
use crate::error::{Category, Error, Phase};
use crate::operation::Nested;

/// An inner call that asks for what the outer session does not give would get less than it was promised. Nothing has
/// been sent.
pub(super) fn mismatch<DB: Backend>(
    nested: Nested,
    inner: Begin,
    outer: Begin,
) -> Result<(), Error> {
    if nested == Nested::Never {
        return refuse(
            "a function with `nested = never` was called inside a session",
            "call it with a pool",
        );
    }
    match (inner.access, outer.access) {
        (Access::Read, Access::Write) => {
            return refuse(
                "a `read_only` function was called inside a session that writes",
                "call it with a pool, or remove its `read_only`",
            );
        }
        (Access::Write, Access::Read) => {
            return refuse(
                "a function that may write was called inside a `read_only` session",
                "declare it `read_only` too, or call it with a pool",
            );
        }
        (Access::Autocommit, Access::Write | Access::Read) => {
            return refuse(
                "an `autocommit` function was called inside a transaction",
                "call it with a pool, or remove its `autocommit`",
            );
        }
        (Access::Write | Access::Read, Access::Autocommit) => {
            return refuse(
                "a function that needs a transaction was called inside an `autocommit` session",
                "call it with a pool, or declare it `autocommit` too",
            );
        }
        (Access::Write, Access::Write)
        | (Access::Read, Access::Read)
        | (Access::Autocommit, Access::Autocommit) => {}
    }
    match (inner.isolation, outer.isolation) {
        // Every session of SQLite has the only level there is.
        (Some(_), None) if DB::DIALECT == Dialect::Sqlite => Ok(()),
        // Where the outer one asks for no level the server's default holds, which may be any.
        (Some(level), outer) if outer.is_none_or(|outer| level > outer) => refuse(
            format!("a function with `isolation = {level}` was called inside a session without"),
            format!("give the outer function `isolation = {level}`, or call this one with a pool"),
        ),
        _ => Ok(()),
    }
}

fn refuse(message: impl Into<String>, help: impl Into<String>) -> Result<(), Error> {
    Err(Error::new(Category::Programming, Phase::Begin, message.into()).with_help(help.into()))
}
