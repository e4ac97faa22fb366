//! Where the compiler shows what is wrong with generated code.
//!
//! Errors about one trait at one span are reported once. So everything that a mistake of the user's
//! trips is shown at the one token that is to blame, and still known as generated: no lint takes it for the
//! user's code.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, GenericArgument, PathArguments, Type};

use crate::types;

/// A span at the user's token.
pub(crate) fn at(node: &impl Spanned) -> Span {
    Span::mixed_site().located_at(node.span())
}

/// A span at the last of the user's tokens.
pub(crate) fn at_end(node: &impl ToTokens) -> Span {
    let last = node.to_token_stream().into_iter().last();
    last.as_ref().map_or_else(Span::mixed_site, at)
}

/// The tokens with all their spans at one place. They must name no variable of the user's.
pub(crate) fn gather(tokens: TokenStream, span: Span) -> TokenStream {
    let moved = tokens.into_iter().map(|tree| match tree {
        TokenTree::Group(group) => {
            let mut moved = Group::new(group.delimiter(), gather(group.stream(), span));
            moved.set_span(span);
            TokenTree::Group(moved)
        }
        // It means the crate that its span belongs to.
        TokenTree::Ident(ident) if ident == "$crate" => TokenTree::Ident(ident),
        mut tree => {
            tree.set_span(span);
            tree
        }
    });
    moved.collect()
}

/// A reference to an expression of the user's, shown where the expression stands.
pub(crate) fn lent(expression: &Expr) -> TokenStream {
    let mut group = Group::new(Delimiter::Parenthesis, expression.to_token_stream());
    // The compiler joins the span of the `&`, at the first token, with this one.
    group.set_span(at_end(expression));
    quote_spanned!(at(expression)=> &#group)
}

/// The error type of a return type as it is written: its second argument, or all of it behind an alias.
pub(crate) fn of_error(output: &Type) -> Span {
    let Type::Path(path) = types::plain(output) else {
        return at(output);
    };
    let arguments = path.path.segments.last().map(|segment| &segment.arguments);
    if let Some(PathArguments::AngleBracketed(arguments)) = arguments
        && let Some(GenericArgument::Type(error)) = arguments.args.iter().nth(1)
    {
        return at(error);
    }
    at(output)
}
