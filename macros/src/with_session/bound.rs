//! The bound of a type parameter that stands for any database.

use proc_macro2::Ident;
use syn::{GenericArgument, PathArguments, Type, TypeParamBound, WherePredicate, parse_quote};

use super::plan::Plan;
use crate::diagnostics::Mistakes;
use crate::function::Function;
use crate::steps::Root;
use crate::types;

/// Puts in the bound that a function for every database was forgotten to be given: without it each step of the session
/// would be a mistake of its own.
pub(crate) fn mend(plan: &Plan, root: &Root, function: &mut Function, mistakes: &Mistakes) {
    let Some(parameter) = parameter(&plan.session.ty).cloned() else {
        return;
    };
    let mut parameters = function.signature.generics.type_params();
    let is_ours = parameters.any(|declared| declared.ident == parameter);
    if !is_ours || bounds(function, &parameter).any(may_be_backend) {
        return;
    }
    mistakes.push_with_help(
        &parameter,
        format!("nothing says that `{parameter}` is a database which steadfast manages"),
        format!("write `{parameter}: steadfast::Backend`"),
    );
    let public = root.public();
    let generics = function.signature.generics.make_where_clause();
    generics
        .predicates
        .push(parse_quote!(#parameter: #public::Backend));
}

/// The one argument of `Session<DB>`, by whatever path.
fn parameter(ty: &Type) -> Option<&Ident> {
    let Type::Path(path) = types::plain(ty) else {
        return None;
    };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Session")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(Type::Path(database))) => database.path.get_ident(),
        _ => None,
    }
}

fn bounds<'a>(
    function: &'a Function,
    parameter: &'a Ident,
) -> impl Iterator<Item = &'a TypeParamBound> {
    let generics = &function.signature.generics;
    let declared = generics
        .type_params()
        .filter(move |declared| declared.ident == *parameter)
        .flat_map(|declared| &declared.bounds);
    let clauses = generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates);
    let stated = clauses.filter_map(move |predicate| match predicate {
        WherePredicate::Type(predicate) => match types::plain(&predicate.bounded_ty) {
            Type::Path(path) if path.path.is_ident(parameter) => Some(&predicate.bounds),
            _ => None,
        },
        _ => None,
    });
    declared.chain(stated.flatten())
}

/// Whether it is a trait that may have ours above it: a user's own may, also one called `Database`.
fn may_be_backend(bound: &TypeParamBound) -> bool {
    const OTHERS: [&str; 7] = [
        "Send", "Sync", "Sized", "Unpin", "Clone", "Debug", "Default",
    ];
    let TypeParamBound::Trait(bound) = bound else {
        return false;
    };
    let path = &bound.path;
    let of_sqlx = path
        .segments
        .first()
        .is_some_and(|first| first.ident == "sqlx");
    let last = path.segments.last();
    !of_sqlx && last.is_none_or(|last| OTHERS.iter().all(|other| last.ident != other))
}
