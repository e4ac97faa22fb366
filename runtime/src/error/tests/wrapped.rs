//! What is found of an error inside others.

use std::sync::Arc;

use super::super::*;
use super::{Boxed, Domain, StdError, Transparent, lost, unknown};

#[derive(Debug, thiserror::Error)]
#[error("the payment failed")]
struct Payment(#[source] Transparent);

/// Each way of hiding an error from a walk down its sources.
fn wrapped(error: fn() -> Error) -> Vec<(&'static str, Boxed)> {
    vec![
        ("bare", error().into()),
        ("transparent", Transparent::Db(error()).into()),
        (
            "source of a source",
            Payment(Transparent::Db(error())).into(),
        ),
        ("inside sqlx", sqlx::Error::from(error()).into()),
        (
            "transparent around sqlx",
            Transparent::Driver(error().into()).into(),
        ),
        ("box", Box::new(error()).into()),
        ("arc", Arc::new(error()).into()),
    ]
}

#[test]
fn unknown_stays_unknown_however_it_is_wrapped() {
    for (how, mut error) in wrapped(unknown) {
        assert_eq!(error.category(), Some(Category::Connection), "{how}");
        assert_eq!(error.outcome(), Some(Outcome::Unknown), "{how}");
        assert_eq!(error.retry(), Some(Retry::Never), "{how}");
        let reached = error.session_error_mut().is_some();
        assert_eq!(reached, how == "bare" || how == "inside sqlx", "{how}");

        let plain: Box<dyn StdError> = error;
        assert_eq!(plain.outcome(), Some(Outcome::Unknown), "{how}");
    }
}

#[cfg(feature = "anyhow")]
#[test]
fn unknown_stays_unknown_in_anyhow() {
    for (how, error) in wrapped(unknown) {
        let error = anyhow::Error::from_boxed(error)
            .context("while paying")
            .context("in the shop");
        assert_eq!(error.category(), Some(Category::Connection), "{how}");
        assert_eq!(error.outcome(), Some(Outcome::Unknown), "{how}");
        assert_eq!(error.retry(), Some(Retry::Never), "{how}");
    }

    let mut error = anyhow::Error::from(unknown()).context("while paying");
    error
        .session_error_mut()
        .expect("the error of the session")
        .set_operation("shop::pay");
    assert_eq!(
        error.downcast_ref::<Error>().and_then(Error::operation),
        Some("shop::pay")
    );

    let mut travelled = anyhow::Error::from(sqlx::Error::from(unknown()));
    assert!(travelled.session_error_mut().is_some());

    assert_eq!(anyhow::anyhow!("no database here").category(), None);
    assert_eq!(
        anyhow::Error::from(Domain)
            .context("no database here")
            .retry(),
        None
    );
}

#[test]
fn an_error_without_a_database_in_it_is_none() {
    let domain: Boxed = Domain.into();
    assert_eq!(domain.category(), None);
    assert_eq!(domain.retry(), None);
    let file: Boxed = std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into();
    assert_eq!(file.category(), None);
}

#[test]
fn the_drivers_own_errors_count_too() {
    let row: Boxed = sqlx::Error::RowNotFound.into();
    assert_eq!(row.category(), Some(Category::NotFound));
    assert_eq!(row.outcome(), None);
    let shared: Boxed = Arc::new(sqlx::Error::PoolTimedOut).into();
    assert_eq!(shared.category(), Some(Category::Capacity));
    let boxed: Boxed = Box::new(sqlx::Error::PoolTimedOut).into();
    assert_eq!(boxed.category(), Some(Category::Capacity));
    assert_eq!(
        Box::new(sqlx::Error::PoolClosed).category(),
        Some(Category::Closed)
    );
}

#[test]
fn alone_only_what_was_certainly_not_applied_is_tried_again() {
    let alone = |error: &sqlx::Error| Fault::of_driver(error).retry_alone();
    assert_eq!(alone(&lost()), Retry::Never);
    assert_eq!(
        alone(&sqlx::Error::Protocol("out of step".into())),
        Retry::Never
    );
    assert_eq!(alone(&sqlx::Error::PoolTimedOut), Retry::Yes);
    assert_eq!(
        alone(&sqlx::Error::Io(
            std::io::ErrorKind::ConnectionRefused.into()
        )),
        Retry::Yes
    );

    assert_eq!(
        alone(&sqlx::Error::Tls("unknown issuer".into())),
        Retry::Yes
    );

    // Until a session has told, ours knows no more than the driver's.
    let mut ours = Error::from(lost());
    assert_eq!(
        (ours.outcome(), ours.is_retryable()),
        (Outcome::Unknown, false)
    );
    assert_eq!(Fault::of_error(&ours).retry_alone(), Retry::Never);
    assert_eq!(Fault::of_error(&ours).retry(), Retry::Yes);
    ours.set_outcome(Outcome::RolledBack);
    assert_eq!(Fault::of_error(&ours).retry_alone(), Retry::Yes);
    let connecting = Error::from_driver(lost(), Phase::Acquire);
    assert_eq!(connecting.outcome(), Outcome::NotSent);
}

#[test]
fn what_is_said_of_the_work_is_found_in_any_variant_of_the_drivers() {
    fn in_io(error: impl Into<Boxed>) -> sqlx::Error {
        sqlx::Error::Io(std::io::Error::other(error))
    }
    let wrapped: [(&str, sqlx::Error); 9] = [
        ("AnyDriverError", unknown().into()),
        ("Io", in_io(unknown())),
        ("Decode", sqlx::Error::Decode(Box::new(unknown()))),
        ("Encode", sqlx::Error::Encode(Box::new(unknown()))),
        ("Tls", sqlx::Error::Tls(Box::new(unknown()))),
        (
            "Configuration",
            sqlx::Error::Configuration(Box::new(unknown())),
        ),
        (
            "ColumnDecode",
            sqlx::Error::ColumnDecode {
                index: "0".into(),
                source: Box::new(unknown()),
            },
        ),
        ("Io in Io", in_io(std::io::Error::other(unknown()))),
        (
            "a wrapper in AnyDriverError",
            sqlx::Error::AnyDriverError(Box::new(Wrapper(sqlx::Error::from(unknown())))),
        ),
    ];
    for (how, error) in wrapped {
        assert_eq!(error.outcome(), Some(Outcome::Unknown), "{how}");
        assert_eq!(error.category(), Some(Category::Connection), "{how}");
        assert_eq!(error.retry(), Some(Retry::Never), "{how}");
        let boxed: Boxed = in_io(error).into();
        assert_eq!(boxed.outcome(), Some(Outcome::Unknown), "{how}, in a box");
        let Ok(error) = boxed.downcast::<sqlx::Error>() else {
            unreachable!("it was put there")
        };
        let ours = Error::from(*error);
        assert_eq!(
            (ours.category(), ours.outcome()),
            (Category::Connection, Outcome::Unknown),
            "{how}: {ours:?}"
        );
    }
}

#[derive(Debug)]
struct Wrapper(sqlx::Error);

impl std::fmt::Display for Wrapper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a wrapper of the user's")
    }
}

impl std::error::Error for Wrapper {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// `?` turns it into the driver's where a body returns `sqlx::Result`.
#[test]
fn a_file_that_is_missing_is_no_lost_connection() {
    let missing = sqlx::Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
    assert_eq!(missing.category(), Some(Category::Internal));
    assert_eq!(missing.retry(), Some(Retry::Never));
    assert_eq!(Error::from(missing).outcome(), Outcome::NotSent);
}
