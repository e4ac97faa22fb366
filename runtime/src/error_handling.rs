//! What `#[db_error_handling]` does with a database error that leaves its function.

use tracing::Level;

use crate::error::{Category, Classify, Fault, Group, Outcome};
use crate::operation::{Operation, operations};

/// Names, counts and logs the database error in a failed result, and lets the arms translate it.
///
/// Any other error passes as it is. It is logged at the level of [`level`], under the target `steadfast::error`, once:
/// an error that comes from another operation with `#[db_error_handling]` was logged there. SQL and values never
/// are.
#[doc(hidden)]
pub fn handle<T, E: Classify>(
    operation: &'static Operation,
    result: Result<T, E>,
    arms: impl FnOnce(&Fault<'_>) -> Option<E>,
) -> Result<T, E> {
    let mut error = match result {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut attempts = 1;
    let mut logged = false;
    if let Some(own) = error.session_error_mut() {
        attempts = own.attempts().len().max(1);
        match own.operation() {
            None => own.set_operation(operation.name()),
            Some(origin) => logged = was_handled_by(origin, operation),
        }
    }
    let Some(fault) = error.fault() else {
        return Err(error);
    };
    operation.record_failed(fault.category());
    if !logged {
        log(operation, &fault, attempts);
    }
    match arms(&fault) {
        Some(translated) => Err(translated),
        None => Err(error),
    }
}

/// Whether the error has come through another operation's `handle`.
fn was_handled_by(origin: &str, here: &Operation) -> bool {
    origin != here.name()
        && operations().any(|other| other.name() == origin && other.does_handle_errors())
}

/// How much an error of this kind wants to be seen.
///
/// * error: something is broken, or the data is in doubt, and somebody has to look;
/// * warn: it may pass by itself, or a caller sent what the database cannot take;
/// * info: the schema refused the work, which is what constraints are for;
/// * debug: a row that is not there, an everyday answer.
fn level(category: Category, outcome: Option<Outcome>) -> Level {
    match (category, category.group()) {
        _ if outcome == Some(Outcome::Unknown) => Level::ERROR,
        (
            Category::Programming
            | Category::Internal
            | Category::CommitUnknown
            | Category::Resource
            | Category::PoolDeadlock,
            _,
        ) => Level::ERROR,
        (Category::NotFound, _) => Level::DEBUG,
        (Category::TooManyRows, _) | (_, Group::Integrity) => Level::INFO,
        _ => Level::WARN,
    }
}

fn log(operation: &Operation, fault: &Fault<'_>, attempts: usize) {
    // A level is part of an event's static description.
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(
                target: "steadfast::error",
                $level,
                operation = operation.name(),
                category = fault.category().as_str(),
                code = fault.code(),
                outcome = fault.outcome().map(Outcome::as_str),
                attempts,
                "a database error leaves its operation"
            )
        };
    }
    match level(fault.category(), fault.outcome()) {
        Level::ERROR => event!(Level::ERROR),
        Level::WARN => event!(Level::WARN),
        Level::INFO => event!(Level::INFO),
        _ => event!(Level::DEBUG),
    }
}

#[cfg(test)]
mod tests;
