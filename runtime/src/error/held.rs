//! The error in a field of an enum with `#[derive(SessionError)]`, of whatever type.
//!
//! The macro knows no types. So it asks for a method of one name, and the compiler takes the first in a chain of types
//! whose bounds the field's type meets: each derefs to the next.

use std::error::Error as StdError;
use std::ops::Deref;

use super::classify::Classify;
use super::error::Error;
use super::fault::Fault;

/// A field, by `&` or `&mut`: looked into by its type's own [`Classify`].
#[derive(Debug)]
pub struct Held<R>(Boxed<R>);

/// One that keeps an error of any type: `anyhow::Error` also without our feature, `Arc<dyn Error + Send + Sync>`.
#[derive(Debug)]
pub struct Boxed<R>(Chain<R>);

/// An error that knows nothing of ours: its sources.
///
/// Without `'static`, which a type parameter may lack and the compiler would not choose by. So the error itself is not
/// compared with the driver's types; those have [`Classify`].
#[derive(Debug)]
pub struct Chain<R>(R, Opaque);

/// No error, or a type parameter of which nothing is known.
#[derive(Debug)]
pub struct Opaque;

impl<R> Held<R> {
    /// Looks into this field.
    pub fn new(field: R) -> Self {
        Self(Boxed(Chain(field, Opaque)))
    }
}

impl<'e, T: Classify> Held<&'e T> {
    /// The database error inside.
    pub fn fault(&self) -> Option<Fault<'e>> {
        self.0.0.0.fault()
    }
}

impl<'e, T: Classify> Held<&'e mut T> {
    /// The session's own error inside.
    pub fn session_error_mut(self) -> Option<&'e mut Error> {
        self.0.0.0.session_error_mut()
    }

    /// The same where one of the driver's becomes one of ours in its place.
    pub fn adopted(self) -> Option<&'e mut Error> {
        self.0.0.0.adopted()
    }
}

impl<'e, T> Boxed<&'e T>
where
    T: Deref<Target = dyn StdError + Send + Sync>,
{
    /// The database error inside.
    pub fn fault(&self) -> Option<Fault<'e>> {
        Fault::find(&**self.0.0)
    }
}

impl<'e, T: StdError> Chain<&'e T> {
    /// The database error inside.
    pub fn fault(&self) -> Option<Fault<'e>> {
        self.0.source().and_then(Fault::find)
    }
}

#[allow(
    clippy::unused_self,
    reason = "asked by the same words as the types ahead of it"
)]
impl Opaque {
    /// None.
    pub fn fault(&self) -> Option<Fault<'static>> {
        None
    }

    /// None.
    pub fn session_error_mut(&self) -> Option<&'static mut Error> {
        None
    }

    /// None.
    pub fn adopted(&self) -> Option<&'static mut Error> {
        None
    }
}

impl<R> Deref for Held<R> {
    type Target = Boxed<R>;

    fn deref(&self) -> &Boxed<R> {
        &self.0
    }
}

impl<R> Deref for Boxed<R> {
    type Target = Chain<R>;

    fn deref(&self) -> &Chain<R> {
        &self.0
    }
}

impl<R> Deref for Chain<R> {
    type Target = Opaque;

    fn deref(&self) -> &Opaque {
        &self.1
    }
}
