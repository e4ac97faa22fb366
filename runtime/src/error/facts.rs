//! What an answer of the database names.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

use super::wording::Words;

/// The code of an error, and what it names of the schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) constraint: Option<&'a str>,
    pub(crate) table: Option<&'a str>,
    /// Several columns are separated by a comma and a space.
    pub(crate) column: Option<Cow<'a, str>>,
    /// What is said of it in place of the words of its category.
    pub(crate) words: Option<&'static Words>,
}

impl<'a> Facts<'a> {
    /// What an error of the driver names; nothing when it is not an answer of the database.
    pub(crate) fn of(error: &'a sqlx::Error) -> Facts<'a> {
        match error {
            sqlx::Error::Database(database) => Facts::of_database(database.as_ref()),
            #[cfg(feature = "migrate")]
            sqlx::Error::Migrate(migrate) => match migrate.as_ref() {
                sqlx::migrate::MigrateError::Execute(inner)
                | sqlx::migrate::MigrateError::ExecuteMigration(inner, _) => Facts::of(inner),
                _ => Facts::default(),
            },
            _ => Facts::default(),
        }
    }

    pub(crate) fn of_database(error: &'a dyn DatabaseError) -> Facts<'a> {
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return super::postgres::facts(error);
        }
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return super::mysql::facts(error.number(), error.message());
        }
        #[cfg(feature = "sqlite")]
        if error
            .try_downcast_ref::<sqlx::sqlite::SqliteError>()
            .is_some()
        {
            return super::sqlite::facts(super::sqlite::extended_code(error), error.message());
        }
        Facts {
            code: error.code(),
            constraint: error.constraint(),
            table: error.table(),
            column: None,
            words: None,
        }
    }

    /// Whether `name` is what the error is about: a constraint, or where the database names none the column or columns.
    ///
    /// `users_email_key`, `users.users_email_key`, `users.email`, `users.email, users.tenant` and `email` are names.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        let qualified = |item: &str, bare: &str| {
            item == bare
                || self.table.is_some_and(|table| {
                    item.strip_prefix(table)
                        .and_then(|rest| rest.strip_prefix('.'))
                        == Some(bare)
                })
        };
        if self
            .constraint
            .is_some_and(|constraint| qualified(name, constraint))
        {
            return true;
        }
        let Some(columns) = self.column.as_deref() else {
            return false;
        };
        let columns: Vec<&str> = columns.split(", ").collect();
        let items: Vec<&str> = name.split(',').map(str::trim).collect();
        items.len() == columns.len()
            && columns
                .iter()
                .all(|column| items.iter().any(|item| qualified(item, column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(
        constraint: Option<&'a str>,
        table: Option<&'a str>,
        column: Option<&'a str>,
    ) -> Facts<'a> {
        Facts {
            code: None,
            constraint,
            table,
            column: column.map(Cow::Borrowed),
            words: None,
        }
    }

    #[test]
    fn a_constraint_is_known_by_its_name() {
        let named = facts(Some("users_email_key"), Some("users"), None);
        assert!(named.is_about("users_email_key"));
        assert!(named.is_about("users.users_email_key"));
        assert!(!named.is_about("orders.users_email_key"));
        assert!(!named.is_about("email"));
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let one = facts(None, Some("users"), Some("email"));
        assert!(one.is_about("users.email"));
        assert!(one.is_about("email"));
        assert!(!one.is_about("orders.email"));
        assert!(!one.is_about("users.email, users.tenant"));

        let two = facts(None, Some("users"), Some("email, tenant"));
        assert!(two.is_about("users.email, users.tenant"));
        assert!(two.is_about("users.tenant,users.email"));
        assert!(!two.is_about("users.email"));
        assert!(!two.is_about("users.email, users.email"));
    }

    #[test]
    fn nothing_named_is_about_nothing() {
        assert!(!facts(None, None, None).is_about(""));
        assert!(!facts(None, Some("users"), None).is_about("users"));
    }
}
