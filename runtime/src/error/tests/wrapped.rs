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

    let session = Error::from_driver(lost(), Phase::Body);
    assert_eq!(Fault::of_error(&session).retry_alone(), Retry::Yes);
}
