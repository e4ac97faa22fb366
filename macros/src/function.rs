//! The annotated function: its signature parsed, its body kept as raw tokens.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, FnArg, Pat, PatIdent, PatType, ReceiverKind, ReturnType, Signature, Token, Type,
    Visibility, braced, token,
};

use crate::{spans, types};

/// A free function, a method, or the declaration of one in a trait.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// `None` is a declaration.
    pub(crate) body: Option<Group>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let body = if input.peek(token::Brace) {
            Some(body(input, &mut attributes)?)
        } else {
            input.parse::<Token![;]>()?;
            None
        };
        Ok(Self {
            attributes,
            visibility,
            signature,
            body,
        })
    }
}

/// The body, also where it is the `$body:block` of a `macro_rules!`. Its inner attributes (`#![allow(…)]`) move to
/// the function, where they mean the same: the body is going to stand inside a block, which takes none.
fn body(input: ParseStream<'_>, attributes: &mut Vec<Attribute>) -> syn::Result<Group> {
    let content;
    let braces = braced!(content in input);
    let inner = content.call(Attribute::parse_inner)?;
    attributes.extend(inner.into_iter().map(|mut attribute| {
        attribute.style = syn::AttrStyle::Outer;
        attribute
    }));
    let mut body = Group::new(Delimiter::Brace, content.parse()?);
    body.set_span(braces.span.join());
    Ok(body)
}

/// What a function does with its receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    None,
    Shared,
    Value,
    Exclusive,
}

impl Function {
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some()
    }

    /// The arguments that are not the receiver, with their places in the signature.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = (usize, &PatType)> {
        let inputs = self.signature.inputs.iter().enumerate();
        inputs.filter_map(|(place, input)| match input {
            FnArg::Typed(argument) => Some((place, argument)),
            FnArg::Receiver(_) => None,
        })
    }

    pub(crate) fn receiver(&self) -> Receiver {
        let Some(receiver) = self.signature.receiver() else {
            return Receiver::None;
        };
        match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => Receiver::Shared,
            ReceiverKind::Reference(..) => Receiver::Exclusive,
            ReceiverKind::Typed(_, ty) if types::holds_exclusive(ty) => Receiver::Exclusive,
            ReceiverKind::Typed(_, ty) if matches!(types::plain(ty), Type::Reference(_)) => {
                Receiver::Shared
            }
            _ => Receiver::Value,
        }
    }

    /// The declared return type.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    /// The return type as an annotation inside the body: each `impl Trait` in it becomes `_`.
    pub(crate) fn output_annotation(&self) -> TokenStream {
        self.output()
            .map_or_else(|| quote!(()), types::without_impl)
    }

    /// Where the compiler shows what is wrong with the error type.
    pub(crate) fn error_span(&self) -> Span {
        self.output().map_or_else(Span::call_site, spans::of_error)
    }

    /// Where a mistake about the return type belongs.
    pub(crate) fn output_span(&self) -> TokenStream {
        match self.output() {
            Some(ty) => ty.to_token_stream(),
            None => self.signature.ident.to_token_stream(),
        }
    }

    /// Whether the function is a plain one that hands out a future instead of being `async`.
    pub(crate) fn returns_future(&self) -> bool {
        const FUTURES: [&str; 3] = ["Future", "BoxFuture", "LocalBoxFuture"];
        !self.is_async()
            && self.output().is_some_and(|ty| {
                mentions(ty.to_token_stream(), &|ident| {
                    FUTURES.iter().any(|future| ident == future)
                })
            })
    }

    /// Whether the body uses a word anywhere, nested blocks included.
    pub(crate) fn body_mentions(&self, word: &str) -> bool {
        self.body
            .as_ref()
            .is_some_and(|body| mentions(body.stream(), &|ident| ident == word))
    }

    /// Whether one of our macros has written this function already: it was invoked under another
    /// name, or by an attribute that expanded late.
    pub(crate) fn is_expanded(&self) -> bool {
        self.body_mentions(OPERATION)
            || self
                .signature
                .inputs
                .iter()
                .any(|input| mentions(input.to_token_stream(), &|ident| ident == "SessionType"))
    }

    /// The function with another signature and another body, which the compiler shows at `shown`.
    pub(crate) fn write(
        &self,
        signature: &Signature,
        body: Option<&TokenStream>,
        documentation: &TokenStream,
        shown: Span,
    ) -> TokenStream {
        let Self {
            attributes,
            visibility,
            ..
        } = self;
        let body = body.map_or_else(|| quote!(;), |body| quote_spanned!(shown=> { #body }));
        quote! {
            #(#attributes)*
            #documentation
            #visibility #signature #body
        }
    }
}

/// The name of the static in each function that one of our macros has written.
pub(crate) const OPERATION: &str = "__STEADFAST_OPERATION";

/// A name for a generated variable, invisible to the user's body.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(&format!("__steadfast_{name}"), Span::mixed_site())
}

/// The one name that an argument binds, with its `mut`, unless it is a true pattern.
pub(crate) fn simple_name(pattern: &Pat) -> Option<&PatIdent> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(name),
        _ => None,
    }
}

/// The attributes of an argument that what is generated for it must carry too.
pub(crate) fn carried(argument: &PatType) -> impl Iterator<Item = &Attribute> {
    const CARRIED: [&str; 5] = ["cfg", "cfg_attr", "allow", "warn", "deny"];
    argument
        .attrs
        .iter()
        .filter(|attribute| CARRIED.iter().any(|name| attribute.path().is_ident(name)))
}

/// Whether a word of the tokens, nested groups included, is a wanted one.
pub(crate) fn mentions(tokens: TokenStream, wanted: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => wanted(&ident),
        TokenTree::Group(group) => mentions(group.stream(), wanted),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
