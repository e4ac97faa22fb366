//! Enums of every shape.
#![deny(warnings, clippy::pedantic, missing_docs)]
#![allow(dead_code)]

use steadfast::{Category, Classify, Error, SessionError};

/// With `thiserror`.
#[derive(Debug, thiserror::Error, SessionError)]
pub enum BankError {
    /// Domain.
    #[error("not enough money")]
    Broke,
    /// Another source.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    #[session]
    Db(Error),
}

/// With one variant.
#[derive(Debug, thiserror::Error, SessionError)]
pub enum OnlyDatabase {
    /// The database.
    #[error("the database failed")]
    #[session]
    Db(#[source] Error),
}

/// With parameters.
#[derive(Debug, SessionError)]
pub enum With<'a, T, const N: usize>
where
    T: Send,
{
    /// Domain.
    Refused(&'a [T; N]),
    /// The database.
    #[session]
    Db(Error),
}

/// Around others.
#[derive(Debug, thiserror::Error, SessionError)]
pub enum Layers<E: Classify> {
    /// Of a layer below.
    #[error(transparent)]
    Bank(#[from] BankError),
    /// Of any layer.
    #[error("at step {0}")]
    Step(u8, #[source] E),
    /// By its name.
    #[error("account {account}")]
    Named {
        /// Whose it is.
        account: i64,
        /// What it was.
        source: OnlyDatabase,
    },
    /// Perhaps none.
    #[error("perhaps")]
    Perhaps(#[source] Option<Box<BankError>>),
    /// Of any type.
    #[error(transparent)]
    Any(#[from] anyhow::Error),
    /// Never made.
    #[error("never")]
    Never(#[source] std::convert::Infallible),
    /// The database.
    #[error(transparent)]
    #[session]
    Db(Error),
}

/// Of its parameter nothing is known.
#[derive(Debug, SessionError)]
pub enum Blind<T> {
    /// What it was.
    Other {
        /// No error.
        source: T,
    },
    /// The database.
    #[session]
    Db(Error),
}

fn question_marks() -> Result<(), BankError> {
    Err(sqlx::Error::RowNotFound)?;
    Err(Error::from(sqlx::Error::RowNotFound))?;
    Ok(())
}

fn main() {
    let error = question_marks().expect_err("a missing row");
    assert_eq!(error.category(), Some(Category::NotFound));
    assert_eq!(BankError::Broke.category(), None);
    assert!(BankError::Broke.outcome().is_none());
    let mut error = OnlyDatabase::from(sqlx::Error::RowNotFound);
    assert!(error.session_error_mut().is_some());
    assert!(With::<u8, 2>::Refused(&[1, 2]).category().is_none());
    let mut layers: Layers<BankError> = BankError::from(sqlx::Error::RowNotFound).into();
    assert_eq!(layers.category(), Some(Category::NotFound));
    assert!(layers.session_error_mut().is_some());
    assert!(
        Layers::<BankError>::from(BankError::Broke)
            .category()
            .is_none()
    );
    assert!(Blind::Other { source: 1 }.category().is_none());
}
