//! Questions to types as they are written; what hides behind an alias is left to the probes.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, Type};

/// The type without the parentheses and the invisible groups around it.
pub(crate) fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(parens) => plain(&parens.elem),
        _ => ty,
    }
}

/// Whether it is a `&mut`, or wraps one: `Pin<&mut Self>`, `Option<&mut T>`, `(&mut A, B)`.
pub(crate) fn holds_exclusive(ty: &Type) -> bool {
    let reference = |ty: &Type| matches!(ty, Type::Reference(inner) if inner.mutability.is_some());
    holds(ty, &reference)
}

/// Whether `impl Trait` stands anywhere in it.
pub(crate) fn holds_impl(ty: &Type) -> bool {
    holds(ty, &|ty| matches!(ty, Type::ImplTrait(_)))
}

/// The last word of its path: `PgSession` of `&mut steadfast::PgSession`.
pub(crate) fn last_word(ty: &Type) -> Option<String> {
    match plain(ty) {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        Type::Reference(reference) => last_word(&reference.elem),
        _ => None,
    }
}

/// Whether it bears the name of a session, or of one of the connections that may stand in place of one.
pub(crate) fn names_session(ty: &Type) -> bool {
    const CONNECTIONS: [&str; 3] = ["PgConnection", "MySqlConnection", "SqliteConnection"];
    last_word(ty)
        .is_some_and(|word| word.ends_with("Session") || CONNECTIONS.contains(&word.as_str()))
}

/// Whether it bears the name of a type that is neither a `Result` nor a session, and that nobody gives
/// to one of these.
pub(crate) fn is_common(ty: &Type) -> bool {
    const COMMON: [&str; 38] = [
        "bool",
        "char",
        "str",
        "String",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "f32",
        "f64",
        "Option",
        "Vec",
        "Box",
        "Arc",
        "Rc",
        "HashMap",
        "BTreeMap",
        "HashSet",
        "Transaction",
        "PoolConnection",
        "Pool",
        "PgPool",
        "MySqlPool",
        "SqlitePool",
        "Lease",
        "SessionPool",
        "PgSessionPool",
        "MySqlSessionPool",
        "SqliteSessionPool",
        "PgTransaction",
    ];
    last_word(ty).is_some_and(|word| COMMON.contains(&word.as_str()))
}

/// The type with `_` for each `impl Trait`, which cannot be named in a body.
pub(crate) fn without_impl(ty: &Type) -> TokenStream {
    let mut ty = ty.clone();
    for_each_mut(&mut ty, &mut |ty| {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = Type::Verbatim(quote!(_));
        }
    });
    ty.to_token_stream()
}

/// A node as its author wrote it, as far as tokens still tell.
pub(crate) fn shown(node: &impl ToTokens) -> String {
    let mut text = node.to_token_stream().to_string();
    for (from, to) in [
        (" :", ":"),
        ("& mut", "&mut"),
        ("& ", "&"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        (":: ", "::"),
    ] {
        text = text.replace(from, to);
    }
    text
}

fn holds(ty: &Type, wanted: &impl Fn(&Type) -> bool) -> bool {
    let mut found = false;
    for_each_mut(&mut ty.clone(), &mut |ty| found |= wanted(ty));
    found
}

/// Visits a type and the types it is made of, outermost first. What stands behind a `fn` or a `dyn`
/// is not part of a value of the type and is left out.
fn for_each_mut(ty: &mut Type, visit: &mut impl FnMut(&mut Type)) {
    visit(ty);
    match ty {
        Type::Array(array) => for_each_mut(&mut array.elem, visit),
        Type::Group(group) => for_each_mut(&mut group.elem, visit),
        Type::Paren(parens) => for_each_mut(&mut parens.elem, visit),
        Type::Ptr(pointer) => for_each_mut(&mut pointer.elem, visit),
        Type::Reference(reference) => for_each_mut(&mut reference.elem, visit),
        Type::Slice(slice) => for_each_mut(&mut slice.elem, visit),
        Type::Tuple(tuple) => {
            for element in &mut tuple.elems {
                for_each_mut(element, visit);
            }
        }
        Type::Path(path) => {
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
                    continue;
                };
                for argument in &mut arguments.args {
                    match argument {
                        GenericArgument::Type(ty) => for_each_mut(ty, visit),
                        GenericArgument::AssocType(assigned) => {
                            for_each_mut(&mut assigned.ty, visit);
                        }
                        _ => {}
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::{Type, parse_quote};

    use super::{holds_exclusive, holds_impl, last_word, without_impl};

    #[test]
    fn impl_becomes_an_underscore_wherever_it_stands() {
        let ty: Type = parse_quote!(Result<(Vec<impl Iterator<Item = u8>>, [impl Copy; 2]), E>);
        assert!(holds_impl(&ty));
        let expected = quote!(Result<(Vec<_>, [_; 2]), E>).to_string();
        assert_eq!(without_impl(&ty).to_string(), expected);
    }

    #[test]
    fn an_exclusive_reference_is_found_inside() {
        assert!(holds_exclusive(&parse_quote!(&mut T)));
        assert!(holds_exclusive(&parse_quote!(Pin<&mut Self>)));
        assert!(holds_exclusive(&parse_quote!((u8, Option<&'a mut T>))));
        assert!(!holds_exclusive(&parse_quote!(&T)));
        assert!(!holds_exclusive(&parse_quote!(fn(&mut T) -> u8)));
        assert!(!holds_exclusive(&parse_quote!(Box<dyn Fn(&mut T)>)));
    }

    #[test]
    fn the_last_word_names_the_type() {
        let word = |ty: Type| last_word(&ty);
        assert_eq!(
            word(parse_quote!(&mut a::PgSession)).as_deref(),
            Some("PgSession")
        );
        assert_eq!(word(parse_quote!((u8, u8))), None);
    }
}
