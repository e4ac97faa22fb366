//! The unit as tokens.

use proc_macro2::{Group, Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{FnArg, Token, parse_quote};

use super::Plan;
use crate::function::{Function, local};
use crate::steps::{Steps, operation};
use crate::with_session::Recursion;
use crate::{db_error_handling, documentation, retry, spans, types, with_session};

/// The function with its session, its retry and its error handling.
pub(super) fn managed(plan: &Plan, function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    rewrite(plan, function.body.is_some(), &mut signature.inputs);
    let documentation = documentation::attributes(plan, function);
    let mut body = function.body.as_ref().map(|_| body(plan, function));
    if plan.recursion() != Recursion::None {
        with_session::recursive_signature(&mut signature);
        body = body.as_ref().map(with_session::recursive_body);
    }
    let shown = plan.session.as_ref().map_or_else(
        || function.error_span(),
        |session| spans::at(&session.session.ty),
    );
    function.write(&signature, body.as_ref(), &documentation, shown)
}

/// The retry names parameters by their places, so it comes before a session that may leave. A declaration has no attempts
/// that they would outlive, and takes no patterns.
fn rewrite(plan: &Plan, has_body: bool, inputs: &mut Punctuated<FnArg, Token![,]>) {
    if let Some(retry) = &plan.retry
        && has_body
    {
        retry::parameters(retry, inputs);
    }
    if let Some(session) = &plan.session {
        with_session::parameter(session, &plan.root, inputs);
    }
}

fn body(plan: &Plan, function: &Function) -> TokenStream {
    let Plan {
        root,
        session,
        retry,
        errors,
    } = plan;
    let header = header(plan, function);
    let steps = match (session, retry) {
        (Some(session), Some(retry)) => {
            let (in_scope, retrying) = (retry::in_scope(retry), retry::retrying(retry, root));
            with_session::steps(session, root, function, &in_scope, &retrying)
        }
        (Some(session), None) => {
            let nothing = TokenStream::new();
            with_session::steps(session, root, function, &nothing, &nothing)
        }
        (None, Some(retry)) => retry::bare(retry, root, function),
        (None, None) => db_error_handling::bare(function, root),
    };
    let before = &steps.before;
    let value = match retry {
        Some(retry) => {
            let pool = session.as_ref().and_then(|session| session.pool.as_ref());
            retry::restart(retry, &steps, pool)
        }
        None => once(&steps),
    };
    let Some(errors) = errors else {
        return quote!(#header #before #value);
    };
    let result = local("result");
    let handle = db_error_handling::handle(errors, root, function, &result);
    let (open, value) = match retry {
        Some(_) => (TokenStream::new(), value),
        None => (steps.open.clone(), conclusion(&steps)),
    };
    quote! {
        #header #before #open
        let #result = #value;
        #handle
    }
}

/// One run and its end, as the tail of the function.
fn once(steps: &Steps) -> TokenStream {
    let (open, value) = (&steps.open, conclusion(steps));
    quote!(#open #value)
}

fn conclusion(steps: &Steps) -> TokenStream {
    let Steps { run, conclude, .. } = steps;
    let ended = local("ended");
    quote!({ let #ended = #run; #conclude })
}

/// The static, its registration, and the questions to the types, ahead of everything else.
fn header(plan: &Plan, function: &Function) -> TokenStream {
    let Plan {
        root,
        session,
        retry,
        errors,
    } = plan;
    let private = root.private();
    let operation = operation();
    let given = session.as_ref().and_then(|session| session.name.as_ref());
    let name = if let Some(name) = given {
        quote!(#name)
    } else {
        let name = function.name();
        quote!(::core::concat!(::core::module_path!(), "::", #name))
    };
    let options = session
        .as_ref()
        .map(|session| with_session::operation(session, root));
    let policy = retry.as_ref().map(|retry| retry::operation(retry, root));
    let handles = errors.as_ref().map(|_| db_error_handling::operation());
    let probes = probes(plan, function);
    quote! {
        static #operation: #private::Operation = #private::Operation::new(#name) #options #policy #handles;
        #private::inventory::submit! { #private::Registered(&#operation) }
        #probes
    }
}

fn probes(plan: &Plan, function: &Function) -> TokenStream {
    let private = plan.root.private();
    let session = plan
        .session
        .as_ref()
        .map(|session| with_session::probes(session, &plan.root));
    // A type with `_` in it cannot be asked; what it hides is asked where the result is used.
    let output = function
        .output()
        .filter(|output| !types::holds_impl(output));
    let result = output.map(|output| {
        let error = if session.is_some() {
            quote!(#private::assert_error::<#output>();)
        } else {
            quote!(#private::assert_classify::<#output>();)
        };
        let error = spans::gather(error, function.error_span());
        let result = spans::gather(
            quote!(#private::assert_result::<#output>();),
            spans::at(output),
        );
        quote!(#result #error)
    });
    let retry = plan
        .retry
        .as_ref()
        .map(|retry| retry::probes(retry, &plan.root));
    quote!(#session #result #retry)
}

/// A function as it was, for when nothing can be done.
pub(super) fn unchanged(function: &Function) -> TokenStream {
    let body = function.body.as_ref().map(Group::stream);
    let shown = function
        .body
        .as_ref()
        .map_or_else(Span::call_site, Group::span);
    function.write(
        &function.signature,
        body.as_ref(),
        &TokenStream::new(),
        shown,
    )
}

/// The right signature over a body that compiles, so that one mistake does not become many.
pub(super) fn stand_in(plan: &Plan, wants_session: bool, function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    let opaque = function.output().is_some_and(types::holds_impl);
    if opaque {
        return unchanged(function);
    }
    if let Some(session) = &plan.session {
        with_session::parameter(session, &plan.root, &mut signature.inputs);
    } else if !(wants_session && function.body_mentions("session")) {
        return unchanged(function);
    }
    for input in &mut signature.inputs {
        if let FnArg::Typed(argument) = input {
            argument
                .attrs
                .push(parse_quote!(#[allow(unused_variables, unused_mut)]));
        }
    }
    let allow = quote!(#[allow(clippy::unused_async, clippy::needless_pass_by_value)]);
    // Its type counts as used also where `pool` has taken the parameter away.
    let session = plan.session.as_ref().map(|session| &session.session.ty);
    let session = session
        .map(|ty| quote!(let _: ::core::option::Option<&#ty> = ::core::option::Option::None;));
    let body = quote!(#session ::core::unreachable!());
    let body = function.body.as_ref().map(|_| &body);
    function.write(&signature, body, &allow, Span::call_site())
}
