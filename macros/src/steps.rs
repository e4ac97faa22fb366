//! What a function is made of once it is written: the pieces that a session, a retry and error
//! handling each contribute, and what they have in common.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use crate::function::{Function, OPERATION, local};

/// Where the generated code finds steadfast.
#[derive(Clone)]
pub(crate) struct Root(TokenStream);

impl Root {
    pub(crate) fn new(path: Option<&Path>) -> Self {
        Self(path.map_or_else(|| quote!(::steadfast), |path| quote!(#path)))
    }

    /// The crate itself, for names that are public.
    pub(crate) fn public(&self) -> &TokenStream {
        &self.0
    }

    /// The module of what only generated code uses.
    pub(crate) fn private(&self) -> TokenStream {
        let root = &self.0;
        quote!(#root::__private)
    }
}

/// One run of the body, in pieces, with a session or without.
pub(crate) struct Steps {
    /// Statements that stand once, before the first run.
    pub(crate) before: TokenStream,
    /// Statements at the head of each run.
    pub(crate) open: TokenStream,
    /// The run itself: an expression.
    pub(crate) run: TokenStream,
    /// What a single run's end is worth: an expression of the return type.
    pub(crate) conclude: TokenStream,
    /// What a run's end is worth when another may follow: an expression of `ControlFlow`.
    pub(crate) finish: TokenStream,
}

/// The static of the function.
pub(crate) fn operation() -> Ident {
    Ident::new(OPERATION, Span::call_site())
}

/// The user's body as a future that owns what it uses. `opening` runs ahead of it.
///
/// The edge that is never taken gives inference the return type before it meets the body.
pub(crate) fn body_future(function: &Function, opening: &TokenStream) -> TokenStream {
    let output = function.output_annotation();
    let body = &function.body;
    let edge = local("return");
    let span = body.as_ref().map_or_else(Span::call_site, Group::span);
    let edge = quote! {
        #[allow(
            unreachable_code,
            unused_qualifications,
            clippy::diverging_sub_expression,
            clippy::empty_loop,
            clippy::let_unit_value,
            clippy::no_effect_underscore_binding,
            clippy::unreachable,
            clippy::used_underscore_binding
        )]
        if false {
            let #edge: #output = loop {};
            return #edge;
        }
    };
    // As a block of the user's: where it is generated, errors about variables lose their names.
    // Behind the edge the body's own braces may count as unnecessary.
    quote_spanned!(span=> async move { #edge #opening #[allow(unused_braces)] #body })
}
