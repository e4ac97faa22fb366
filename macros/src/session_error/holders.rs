//! The variants beside the marked one that hold an error, by the rules of `thiserror`.

use syn::{Attribute, Field, Ident, Index, Member, Meta, Path, Type, Variant};

use crate::types;

/// A variant, and where in it the error is.
pub(crate) struct Holder {
    pub(crate) variant: Ident,
    pub(crate) member: Member,
    pub(crate) ty: Type,
    /// `thiserror` takes a source for none where the type is written as `Option`.
    pub(crate) optional: bool,
}

pub(crate) fn among<'a>(
    variants: impl Iterator<Item = &'a Variant>,
    of_enum: &[Attribute],
) -> Vec<Holder> {
    variants
        .filter_map(|variant| holder(variant, of_enum))
        .collect()
}

fn holder(variant: &Variant, of_enum: &[Attribute]) -> Option<Holder> {
    let fields = || variant.fields.iter().enumerate();
    let marked = |name| fields().find(|(_, field)| attribute(&field.attrs, name).is_some());
    let named =
        || fields().find(|(_, field)| field.ident.as_ref().is_some_and(|it| it == "source"));
    let alone = || {
        let whole = variant.fields.len() == 1 && is_transparent(variant, of_enum);
        whole.then(|| fields().next()).flatten()
    };
    let (index, field) = marked("source")
        .or_else(|| marked("from"))
        .or_else(named)
        .or_else(alone)?;
    Some(Holder {
        variant: variant.ident.clone(),
        member: member(index, field),
        ty: field.ty.clone(),
        optional: types::last_word(&field.ty).as_deref() == Some("Option"),
    })
}

fn member(index: usize, field: &Field) -> Member {
    match &field.ident {
        Some(name) => Member::Named(name.clone()),
        None => Member::Unnamed(Index::from(index)),
    }
}

/// `#[error(…)]` of the enum holds for variants without one.
fn is_transparent(variant: &Variant, of_enum: &[Attribute]) -> bool {
    let error = attribute(&variant.attrs, "error").or_else(|| attribute(of_enum, "error"));
    error.is_some_and(|error| match &error.meta {
        Meta::List(list) => {
            syn::parse2::<Path>(list.tokens.clone()).is_ok_and(|path| path.is_ident("transparent"))
        }
        _ => false,
    })
}

pub(super) fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.path().is_ident(name))
}
