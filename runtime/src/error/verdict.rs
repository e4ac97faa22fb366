//! What an error of the driver means for the session it happened in.

use std::io::ErrorKind;

use super::carried::carried;
use super::category::{Category, Integrity};

/// Whether the same work, from the start and in a new session, may succeed.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// It will fail again, or must not be repeated.
    Never,
    /// One further attempt is worth it; if that fails in the same way, no more.
    Once,
    /// It may succeed next time.
    Yes,
}

/// What has become of the transaction when this error is the answer to COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtCommit {
    /// The server says that it undid the work.
    RolledBack,
    /// Nothing is committed. The transaction is open still, or the database ended it by itself: where this is
    /// answered (`SQLite`), autocommit tells which.
    #[cfg_attr(
        not(feature = "sqlite"),
        allow(dead_code, reason = "a server never leaves it open")
    )]
    StillOpen,
    /// The answer proves nothing.
    Unknown,
}

/// How much of the session an error takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The statement alone.
    Nothing,
    /// The innermost level: nothing but rolling it back recovers.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(dead_code, reason = "only a server ends a level")
    )]
    Level,
    /// The transaction, which the database has already rolled back.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "sqlite")),
        allow(dead_code, reason = "`PostgreSQL` waits to be told to roll back")
    )]
    Transaction,
    /// The connection.
    Connection,
}

/// What an error of the driver means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) category: Category,
    pub(crate) retry: Retry,
    pub(crate) at_commit: AtCommit,
    pub(crate) ends: Ends,
}

impl Retry {
    /// What holds for a category when nothing more is known.
    pub(crate) const fn of(category: Category) -> Retry {
        if category.is_transient() {
            Retry::Yes
        } else {
            Retry::Never
        }
    }
}

impl Verdict {
    /// A failure on our side of the wire: the session is as it was.
    const fn local(category: Category) -> Verdict {
        Verdict {
            category,
            retry: Retry::of(category),
            at_commit: AtCommit::Unknown,
            ends: Ends::Nothing,
        }
    }

    /// The connection is of no more use, and nobody knows what the server has done.
    const fn lost(category: Category, retry: Retry) -> Verdict {
        Verdict {
            category,
            retry,
            at_commit: AtCommit::Unknown,
            ends: Ends::Connection,
        }
    }

    /// Whether this error leaves it open which question the connection's next answer belongs to. An error of the
    /// server's own is an answer.
    pub(crate) fn loses_step(self, error: &sqlx::Error) -> bool {
        self.ends == Ends::Connection && !matches!(error, sqlx::Error::Database(_))
    }

    /// Whether the server may have applied a statement that was answered by this error in autocommit. An answer that would
    /// prove the rollback at COMMIT proves it here too.
    pub(crate) const fn leaves_doubt(self) -> bool {
        match self.category {
            _ if matches!(self.at_commit, AtCommit::RolledBack) => false,
            Category::CommitUnknown => true,
            // Refused, whatever it takes along.
            Category::Access
            | Category::Capacity
            | Category::Conflict
            | Category::Programming
            | Category::Data => false,
            _ => matches!(self.ends, Ends::Connection),
        }
    }
}

/// Judges an error of the driver.
pub(crate) fn verdict(error: &sqlx::Error) -> Verdict {
    if let Some(ours) = carried(error) {
        return Verdict {
            category: ours.category,
            retry: ours.retry(),
            at_commit: AtCommit::Unknown,
            ends: ours
                .driver()
                .map_or(Ends::Nothing, |error| verdict(error).ends),
        };
    }
    match error {
        sqlx::Error::Database(database) => of_database(database.as_ref()),
        sqlx::Error::AnyDriverError(_) => Verdict::local(Category::Internal),
        sqlx::Error::Io(inner) if is_of_files(inner.kind()) => Verdict::local(Category::Internal),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Verdict::lost(Category::Connection, Retry::Yes)
        }
        // sqlx's own words, of what it has prepared and not sent; an answer that will not come is waited for ever
        // after.
        sqlx::Error::Protocol(words) if words.starts_with("prepared statement expected") => {
            Verdict::lost(Category::Programming, Retry::Never)
        }
        // Nothing was sent: a lent connection has no look at the number of values.
        sqlx::Error::Protocol(words) if words.contains("too many arguments") => {
            Verdict::local(Category::Programming)
        }
        sqlx::Error::Protocol(_) => Verdict::lost(Category::Connection, Retry::Once),
        sqlx::Error::BeginFailed => Verdict::lost(Category::Internal, Retry::Never),
        sqlx::Error::RowNotFound => Verdict::local(Category::NotFound),
        sqlx::Error::PoolTimedOut => Verdict::local(Category::Capacity),
        sqlx::Error::PoolClosed => Verdict::local(Category::Closed),
        #[cfg(feature = "migrate")]
        sqlx::Error::Migrate(migrate) => match migrate.as_ref() {
            sqlx::migrate::MigrateError::Execute(inner)
            | sqlx::migrate::MigrateError::ExecuteMigration(inner, _) => verdict(inner),
            _ => Verdict::local(Category::Programming),
        },
        // Configuration, arguments, types, columns, encoding and decoding: the code does not fit the schema.
        _ => Verdict::local(Category::Programming),
    }
}

/// What no connection that once was open answers. A body that works with files and returns `sqlx::Result` turns such an
/// error into the driver's.
fn is_of_files(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::InvalidFilename
            | ErrorKind::CrossesDevices
            | ErrorKind::ExecutableFileBusy
            | ErrorKind::TooManyLinks
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported
    )
}

/// Judges what the database itself answered.
pub(crate) fn of_database(error: &dyn sqlx::error::DatabaseError) -> Verdict {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return super::postgres::verdict(error);
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return super::mysql::verdict(error.number(), error.code(), error.message());
    }
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return super::sqlite::verdict(super::sqlite::extended_code(error));
    }
    of_foreign(error)
}

/// A driver that is none of ours: no more is known than what sqlx says of it.
fn of_foreign(error: &dyn sqlx::error::DatabaseError) -> Verdict {
    use sqlx::error::ErrorKind;

    let category = match error.kind() {
        ErrorKind::UniqueViolation => Category::Integrity(Integrity::Unique),
        ErrorKind::ForeignKeyViolation => Category::Integrity(Integrity::ForeignKey),
        ErrorKind::NotNullViolation => Category::Integrity(Integrity::NotNull),
        ErrorKind::CheckViolation => Category::Integrity(Integrity::Check),
        ErrorKind::ExclusionViolation => Category::Integrity(Integrity::Exclusion),
        _ => Category::Internal,
    };
    Verdict::local(category)
}
