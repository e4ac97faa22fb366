//! `statement_timeout` and `lock_timeout`: what the user is told, and that they end with their session.

mod changed_by_statements;
mod languages;
mod locks;
mod settings;
mod statements;

use steadfast::__private::{Operation, Options};

static UNLIMITED: Operation = Operation::new("limits::unlimited").options(Options::new());
