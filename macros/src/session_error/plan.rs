//! What `#[derive(SessionError)]` is going to implement.

use syn::punctuated::Punctuated;
use syn::{Field, Fields, Generics, Ident, Meta, Path, Token, Type, Variant};

use super::args::Args;
use super::holders::{self, Holder, attribute};
use crate::diagnostics::Mistakes;
use crate::types;

pub(crate) struct Plan {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) root: Option<Path>,
    /// `None` where it is not clear what is meant, which is among the mistakes then.
    pub(crate) held: Option<Held>,
    /// The other variants that hold an error.
    pub(crate) holders: Vec<Holder>,
    /// The conversions that a mistake of the user's has implemented already.
    pub(crate) taken: Conversions,
}

/// The variant that holds the database's error.
pub(crate) struct Held {
    pub(crate) variant: Ident,
    pub(crate) ty: Type,
    /// How many other variants there are.
    pub(crate) others: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Conversions {
    pub(crate) from_session: bool,
    pub(crate) from_sqlx: bool,
}

pub(crate) fn decide(args: Args, mistakes: &Mistakes) -> Plan {
    let mut taken = Conversions::default();
    let held = args
        .variants
        .as_ref()
        .and_then(|variants| held(&args.name, variants, &mut taken, mistakes));
    let others = args.variants.iter().flatten().filter(|variant| {
        held.as_ref()
            .is_some_and(|held| held.variant != variant.ident)
    });
    let holders = holders::among(others, &args.attributes);
    Plan {
        name: args.name,
        generics: args.generics,
        root: args.root,
        held,
        holders,
        taken,
    }
}

fn held(
    name: &Ident,
    variants: &Punctuated<Variant, Token![,]>,
    taken: &mut Conversions,
    mistakes: &Mistakes,
) -> Option<Held> {
    let marked: Vec<&Variant> = variants
        .iter()
        .filter(|variant| marked(variant, mistakes))
        .collect();
    for variant in variants {
        clashing_source(variant, &marked, taken, mistakes);
    }
    let mut marked = marked.into_iter();
    let Some(variant) = marked.next() else {
        mistakes.push_with_help(
            name,
            "`#[derive(SessionError)]` needs one variant marked `#[session]`",
            "add `#[session] Db(steadfast::Error)`",
        );
        return None;
    };
    for other in marked {
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
                "`#[session]` implements `From<steadfast::Error>` for `{name}` itself, which clashes with `#[from]`"
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
    Some(Held {
        variant: variant.ident.clone(),
        ty: field.ty.clone(),
        others: variants.len() - 1,
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
    for field in &variant.fields {
        let Some(from) = attribute(&field.attrs, "from") else {
            continue;
        };
        let (from_sqlx, from_session) = (owned_by(field, "sqlx"), owned_by(field, "steadfast"));
        taken.from_sqlx |= from_sqlx;
        // Where no variant is marked this one may be meant, whatever the path to its error.
        let meant = marked.is_empty() && types::last_word(&field.ty).as_deref() == Some("Error");
        taken.from_session |= from_session || (meant && !from_sqlx);
        let Some(name) = marked.first().map(|variant| &variant.ident) else {
            continue;
        };
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

/// Whether the field holds the `Error` of that crate.
fn owned_by(field: &Field, owner: &str) -> bool {
    let Type::Path(path) = types::plain(&field.ty) else {
        return false;
    };
    let segments = path.path.segments.iter().rev();
    let mut words = segments.map(|segment| &segment.ident);
    words.next().is_some_and(|word| word == "Error")
        && words.next().is_some_and(|word| word == owner)
}
