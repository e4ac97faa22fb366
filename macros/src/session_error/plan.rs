//! What `#[derive(SessionError)]` is going to implement.

use syn::{Attribute, Field, Fields, Generics, Ident, Meta, Path, Type, Variant};

use super::args::Args;
use crate::diagnostics::Mistakes;
use crate::types;

pub(crate) struct Plan {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) root: Option<Path>,
    /// The variant that holds the database's error, and the type it holds.
    pub(crate) variant: Ident,
    pub(crate) held: Type,
    /// Whether there are other variants.
    pub(crate) others: bool,
    /// The conversions that a mistake of the user's has implemented already.
    pub(crate) taken: Conversions,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Conversions {
    pub(crate) from_session: bool,
    pub(crate) from_sqlx: bool,
}

/// `None` when it is not clear which variant is meant, which is among the mistakes then.
pub(crate) fn decide(args: &Args, mistakes: &Mistakes) -> Option<Plan> {
    let marked: Vec<&Variant> = args
        .variants
        .iter()
        .filter(|variant| marked(variant, mistakes))
        .collect();
    let mut taken = Conversions::default();
    for variant in &args.variants {
        clashing_source(variant, &marked, &mut taken, mistakes);
    }
    let mut variants = marked.into_iter();
    let Some(variant) = variants.next() else {
        mistakes.push_with_help(
            &args.name,
            "`#[derive(SessionError)]` needs one variant marked `#[session]`",
            "add `#[session] Db(steadfast::Error)`",
        );
        return None;
    };
    for other in variants {
        mistakes.push_with_help(
            &other.ident,
            format!(
                "`{}` is marked `#[session]` already, and an error of the database can become only one variant",
                variant.ident
            ),
            format!("remove `#[session]` from `{}`", other.ident),
        );
    }
    let field = field(variant, mistakes)?;
    if let Some(from) = attribute(&field.attrs, "from") {
        taken.from_session = true;
        mistakes.push_with_help(
            from,
            format!(
                "`#[session]` implements `From<steadfast::Error>` for `{}` itself, which clashes with `#[from]`",
                args.name
            ),
            "write `#[source]`, or nothing, in place of `#[from]`",
        );
    }
    if types::last_word(&field.ty).as_deref() == Some("Box") {
        mistakes.push_with_help(
            &field.ty,
            "`steadfast::Error` is one pointer wide already, so `#[session]` takes it without a box",
            format!("write `{}(steadfast::Error)`", variant.ident),
        );
        return None;
    }
    Some(Plan {
        variant: variant.ident.clone(),
        held: field.ty.clone(),
        others: args.variants.len() > 1,
        taken,
        name: args.name.clone(),
        generics: args.generics.clone(),
        root: args.root.clone(),
    })
}

/// Whether the variant bears `#[session]`; on its field it is a mistake.
fn marked(variant: &Variant, mistakes: &Mistakes) -> bool {
    for field in &variant.fields {
        if let Some(mark) = attribute(&field.attrs, "session") {
            mistakes.push_with_help(
                mark,
                "`#[session]` marks a variant, not its field",
                format!("write `#[session] {}(steadfast::Error)`", variant.ident),
            );
            return true;
        }
    }
    let mut marks = variant
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("session"));
    let Some(mark) = marks.next() else {
        return false;
    };
    for again in marks {
        mistakes.push(again, "`#[session]` is given twice");
    }
    if !matches!(mark.meta, Meta::Path(_)) {
        mistakes.push_with_help(
            mark,
            "`#[session]` on a variant takes nothing",
            "write `#[session]` alone; `crate = …` belongs on the enum",
        );
    }
    true
}

/// The one field of a tuple variant.
fn field<'a>(variant: &'a Variant, mistakes: &Mistakes) -> Option<&'a Field> {
    if let Fields::Unnamed(fields) = &variant.fields
        && fields.unnamed.len() == 1
    {
        return fields.unnamed.first();
    }
    mistakes.push_with_help(
        variant,
        "a variant marked `#[session]` holds the error of the database and nothing else",
        format!("write `{}(steadfast::Error)`", variant.ident),
    );
    None
}

/// A `#[from] sqlx::Error` elsewhere is a second `From<sqlx::Error>`.
fn clashing_source(
    variant: &Variant,
    marked: &[&Variant],
    taken: &mut Conversions,
    mistakes: &Mistakes,
) {
    if marked.iter().any(|other| other.ident == variant.ident) {
        return;
    }
    let Some(name) = marked.first().map(|variant| &variant.ident) else {
        return;
    };
    for field in &variant.fields {
        let Some(from) = attribute(&field.attrs, "from") else {
            continue;
        };
        let Type::Path(path) = types::plain(&field.ty) else {
            continue;
        };
        let mut words = path
            .path
            .segments
            .iter()
            .rev()
            .map(|segment| &segment.ident);
        let is_error = words.next().is_some_and(|word| word == "Error");
        let owner = words.next().filter(|_| is_error);
        let from_sqlx = owner.is_some_and(|word| word == "sqlx");
        let from_session = owner.is_some_and(|word| word == "steadfast");
        taken.from_sqlx |= from_sqlx;
        taken.from_session |= from_session;
        if from_sqlx || from_session {
            mistakes.push_with_help(
                from,
                format!("errors of the database become `{name}`, so this second `From` clashes"),
                format!(
                    "remove `#[from]`, and `{}` if `{name}` replaces it",
                    variant.ident
                ),
            );
        }
    }
}

fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.path().is_ident(name))
}
