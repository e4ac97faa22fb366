//! The item under `#[derive(SessionError)]` as it was written.

use proc_macro2::TokenStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Generics, Ident, Item, Meta, Path, Token, Variant};

use crate::diagnostics::Mistakes;
use crate::options::{self, Table, Takes};

const TABLE: Table = Table {
    of: "`#[session]`",
    options: &[("crate", Takes::Path)],
    synonyms: &[],
    arms: false,
};

pub(crate) struct Args {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    /// `None` for an item that is not an enum, which is among the mistakes then.
    pub(crate) variants: Option<Punctuated<Variant, Token![,]>>,
    /// The attributes of the enum itself.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) root: Option<Path>,
}

/// `None` for what is no type at all, which is among the mistakes then.
pub(crate) fn read(item: TokenStream, mistakes: &Mistakes) -> Option<Args> {
    let item = match syn::parse2::<Item>(item) {
        Ok(item) => item,
        Err(error) => {
            mistakes.record(error);
            return None;
        }
    };
    let (attributes, name, generics, variants) = match item {
        Item::Enum(item) => (item.attrs, item.ident, item.generics, Some(item.variants)),
        Item::Struct(item) => (item.attrs, item.ident, item.generics, None),
        Item::Union(item) => (item.attrs, item.ident, item.generics, None),
        _ => return None,
    };
    if variants.is_none() {
        mistakes.push_with_help(
            &name,
            "`#[derive(SessionError)]` goes on an enum",
            "give it one variant for the database: `#[session] Db(steadfast::Error)`",
        );
    }
    Some(Args {
        root: root(&attributes, mistakes),
        name,
        generics,
        variants,
        attributes,
    })
}

/// `#[session(crate = path)]` on the enum itself.
fn root(attributes: &[Attribute], mistakes: &Mistakes) -> Option<Path> {
    let ours = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("session"));
    let mut root = None;
    for attribute in ours {
        let Meta::List(list) = &attribute.meta else {
            mistakes.push_with_help(
                attribute,
                "`#[session]` marks a variant, not the enum",
                "move it onto the variant that holds `steadfast::Error`",
            );
            continue;
        };
        let options = options::read(&TABLE, &[], list.tokens.clone(), mistakes);
        root = options.path("crate").cloned().or(root);
    }
    root
}
