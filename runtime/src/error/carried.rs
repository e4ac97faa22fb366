//! An error of ours inside one of the driver's. Code that answers `sqlx::Result` puts it into whatever variant takes an
//! error of any type; what it says of the work must not be lost there.

use std::error::Error as StdError;
use std::io;

use super::error::Error;
use super::node::Node;

type Any = dyn StdError + Send + Sync + 'static;

/// What is told of the work by the error of ours that `error` carries, however deep.
pub(crate) fn carried(error: &sqlx::Error) -> Option<&Node> {
    let inside: &(dyn StdError + 'static) = holder(error)?;
    let mut link = Some(inside);
    while let Some(error) = link {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours.node_ref());
        }
        if let Some(node) = error.downcast_ref::<Node>() {
            return Some(node);
        }
        link = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            // Its `source` is that of what it holds.
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// The same to be changed, where it is what the driver's error holds itself.
pub(crate) fn carried_mut(error: &mut sqlx::Error) -> Option<&mut Error> {
    match error {
        sqlx::Error::AnyDriverError(inner)
        | sqlx::Error::Configuration(inner)
        | sqlx::Error::Decode(inner)
        | sqlx::Error::Encode(inner)
        | sqlx::Error::Tls(inner)
        | sqlx::Error::ColumnDecode { source: inner, .. } => inner.downcast_mut(),
        sqlx::Error::Io(inner) => inner.get_mut()?.downcast_mut(),
        _ => None,
    }
}

fn holder(error: &sqlx::Error) -> Option<&Any> {
    match error {
        sqlx::Error::AnyDriverError(inner)
        | sqlx::Error::Configuration(inner)
        | sqlx::Error::Decode(inner)
        | sqlx::Error::Encode(inner)
        | sqlx::Error::Tls(inner)
        | sqlx::Error::ColumnDecode { source: inner, .. } => Some(inner.as_ref()),
        sqlx::Error::Io(inner) => inner.get_ref(),
        _ => None,
    }
}
