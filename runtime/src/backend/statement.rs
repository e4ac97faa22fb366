//! A statement taken out of the caller's query, so that its text can be read before it is sent.

use sqlx::{Database, Execute, SqlStr};

/// The parts of any `sqlx::Execute`. sqlx gives the text only by value, so the scanner takes the query
/// apart and this type is what is executed in its place; it also keeps everything behind the executor free
/// of the query's type.
pub struct Statement<DB: Database> {
    sql: SqlStr,
    prepared: Option<DB::Statement>,
    arguments: Result<Option<DB::Arguments>, sqlx::error::BoxDynError>,
    persistent: bool,
}

impl<DB: Database> Statement<DB> {
    pub(crate) fn of<'q>(mut query: impl Execute<'q, DB>) -> Self {
        let prepared = query.statement().cloned();
        let arguments = query.take_arguments();
        let persistent = query.persistent();
        Self {
            sql: query.sql(),
            prepared,
            arguments,
            persistent,
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// How many values are bound.
    pub(crate) fn values(&self) -> usize {
        match &self.arguments {
            Ok(Some(arguments)) => sqlx::Arguments::len(arguments),
            Ok(None) | Err(_) => 0,
        }
    }

    /// Without arguments the text goes out as it is, and may hold several statements.
    pub(crate) fn is_prepared(&self) -> bool {
        !matches!(self.arguments, Ok(None))
    }
}

#[cfg(feature = "sqlite")]
impl<DB: Database<Arguments: Clone>> Statement<DB> {
    /// The same once more, where its arguments could be encoded.
    pub(crate) fn copy(&self) -> Option<Self> {
        let arguments = self.arguments.as_ref().ok()?.clone();
        Some(Self {
            sql: self.sql.clone(),
            prepared: self.prepared.clone(),
            arguments: Ok(arguments),
            persistent: self.persistent,
        })
    }
}

impl<DB: Database> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, sqlx::error::BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
