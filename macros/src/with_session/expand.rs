//! What `#[with_session]` writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{FnArg, Token, Type, parse_quote};

use super::plan::Plan;
use crate::duration;
use crate::function::{Function, Receiver, local};
use crate::spans;
use crate::steps::{Root, Steps, body_future, operation as operation_static};

/// Replaces the session among the parameters by what callers pass.
pub(crate) fn parameter(plan: &Plan, root: &Root, inputs: &mut Punctuated<FnArg, Token![,]>) {
    let place = plan.session.place;
    if plan.pool.is_some() {
        let kept = inputs.iter().enumerate();
        *inputs = kept
            .filter(|(other, _)| *other != place)
            .map(|(_, input)| input.clone())
            .collect();
        return;
    }
    let public = root.public();
    let database = database(plan, root);
    let name = &plan.session.name;
    if let FnArg::Typed(argument) = &mut inputs[place] {
        *argument.pat = parse_quote!(#name);
        let source = quote!(impl #public::SessionSource<#database>);
        let source = spans::gather(source, spans::at(&plan.session.ty));
        *argument.ty = Type::Verbatim(source);
    }
}

/// What travels with BEGIN, on the operation's static.
pub(crate) fn operation(plan: &Plan, root: &Root) -> TokenStream {
    let private = root.private();
    let isolation = plan.isolation.as_ref().map(|isolation| {
        let level = Ident::new(isolation.level, Span::call_site());
        quote!(.isolation(#private::Isolation::#level))
    });
    let read_only = plan.read_only.then(|| quote!(.read_only()));
    let timeout = plan.timeout.map(|timeout| {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        quote!(.timeout(#millis))
    });
    if isolation.is_none() && read_only.is_none() && timeout.is_none() {
        return TokenStream::new();
    }
    quote!(.options(#private::Options::new() #isolation #read_only #timeout))
}

/// Questions to the types that only the compiler can answer.
pub(crate) fn probes(plan: &Plan, root: &Root) -> TokenStream {
    let private = root.private();
    let ty = &plan.session.ty;
    let session = spans::gather(quote!(#private::assert_session::<#ty>();), spans::at(ty));
    let isolation = plan.isolation.as_ref().map(|isolation| {
        let level = Ident::new(isolation.level, Span::call_site());
        let probe = quote!(#private::assert_isolation::<#ty, #private::isolation::#level>(););
        spans::gather(probe, spans::at(&isolation.at))
    });
    quote!(#session #isolation)
}

/// One attempt in a session. `in_scope` binds what `pool = …` may name.
pub(crate) fn steps(
    plan: &Plan,
    root: &Root,
    function: &Function,
    in_scope: &TokenStream,
    retrying: &TokenStream,
) -> Steps {
    let private = root.private();
    let operation = operation_static();
    let database = database(plan, root);
    let (pattern, ty) = (&plan.session.pattern, &plan.session.ty);
    let attributes = &plan.session.attributes;
    let [call, attempt, limits, ended, pool] =
        ["call", "attempt", "limits", "ended", "pool"].map(local);
    let (bind, source) = match &plan.pool {
        Some(expression) => {
            let lent = spans::lent(expression);
            let bind = quote! {
                let #pool = { #in_scope #private::pool_of::<#database>(#lent) };
            };
            (bind, pool)
        }
        None => (TokenStream::new(), plan.session.name.clone()),
    };
    let session = spans::at(pattern);
    let begun = spans::gather(
        quote!(let mut #call = #operation.call::<#database, _>),
        session,
    );
    let opened = spans::gather(quote!(let mut #attempt = #call.begin();), session);
    let lent = spans::gather(quote!(#attempt.session()), session);
    let error = function.error_span();
    let body = body_future(function);
    Steps {
        before: quote! {
            #bind
            #[allow(clippy::used_underscore_binding)]
            #begun(#source) #retrying;
        },
        open: quote! {
            #opened
            let #limits = #attempt.limits();
            #(#attributes)*
            let #pattern: &mut #ty = #lent;
        },
        run: quote!(#private::shielded(#limits, #body).await),
        conclude: spans::gather(quote!(#attempt.conclude(#ended).await), error),
        finish: spans::gather(quote!(#attempt.finish(#ended).await), error),
    }
}

/// What the documentation says about the session.
pub(crate) fn documentation(plan: &Plan, function: &Function) -> String {
    let place = match &plan.pool {
        Some(_) => "a session of its own",
        None => {
            "a session of its own when it is given a pool, or as a savepoint of the caller's session"
        }
    };
    let mut text = format!(
        "Runs in {place}: committed when it returns `Ok`, rolled back however else it ends."
    );
    let mut traits = Vec::new();
    if let Some(isolation) = &plan.isolation {
        traits.push(format!("isolation is `{}`", isolation.at));
    }
    if plan.read_only {
        traits.push("it only reads".to_owned());
    }
    if let Some(timeout) = plan.timeout {
        traits.push(format!("it ends within {}", duration::show(timeout)));
    }
    if !traits.is_empty() {
        text = format!("{text} In detail: {}.", traits.join(", "));
    }
    if function.body.is_none() && function.receiver() != Receiver::None {
        text.push_str(" Each implementation decides this for itself.");
    }
    text
}

fn database(plan: &Plan, root: &Root) -> TokenStream {
    let private = root.private();
    let ty = &plan.session.ty;
    spans::gather(
        quote!(<#ty as #private::SessionType>::Backend),
        spans::at(ty),
    )
}
