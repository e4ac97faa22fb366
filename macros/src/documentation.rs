//! The section that the documentation of a managed function ends with.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::function::Function;
use crate::unit::Plan;
use crate::{db_error_handling, retry, with_session};

/// What is managed and by which policy, as `#[doc]` attributes that follow the user's own.
pub(crate) fn attributes(plan: &Plan, function: &Function) -> TokenStream {
    let sentences = [
        plan.session
            .as_ref()
            .map(|session| with_session::documentation(session, function)),
        plan.retry.as_ref().map(retry::documentation),
        plan.errors.as_ref().map(db_error_handling::documentation),
    ];
    let managed: Vec<String> = sentences.into_iter().flatten().collect();
    let managed = managed.join(" ");
    let mut text = format!("\n# Managed\n\n{managed}");
    // clippy asks for this section as soon as there is documentation at all.
    if !has_errors_section(&function.attributes) {
        text.push_str("\n\n# Errors\n\n");
        text.push_str(match plan.session {
            Some(_) => {
                "Those of the body, and those of a session that cannot be opened or committed."
            }
            None => "Those of the body.",
        });
    }
    quote!(#[doc = #text])
}

fn has_errors_section(attributes: &[Attribute]) -> bool {
    attributes.iter().filter_map(text).any(|line| {
        line.lines()
            .any(|line| line.trim_start().starts_with('#') && line.contains("Error"))
    })
}

/// The text of a `#[doc = "…"]`.
fn text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else {
        return None;
    };
    match &meta.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if meta.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}
