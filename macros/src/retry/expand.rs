//! What `#[retry]` writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, FnArg, ReceiverKind, Token, parse_quote};

use super::plan::{Argument, Plan};
use super::policy::{Built, MAX, Policy};
use crate::duration;
use crate::function::{Function, local};
use crate::spans;
use crate::steps::{Root, Steps, body_future, operation as operation_static};
use crate::types;

/// Gives a name to each parameter that must outlive an attempt.
pub(crate) fn parameters(plan: &Plan, inputs: &mut Punctuated<FnArg, Token![,]>) {
    for argument in plan.arguments.iter().filter(|argument| argument.renamed) {
        let outer = &argument.outer;
        if let FnArg::Typed(input) = &mut inputs[argument.place] {
            *input.pat = parse_quote!(#outer);
        }
    }
    if plan.owns_self
        && let Some(FnArg::Receiver(receiver)) = inputs.first_mut()
        && !matches!(receiver.kind, ReceiverKind::Reference(..))
    {
        receiver.mutability = Some(Token![mut](receiver.self_token.span));
    }
}

/// The policy on the operation's static.
pub(crate) fn operation(plan: &Plan, root: &Root) -> TokenStream {
    let Policy::Built(built) = &plan.policy else {
        return TokenStream::new();
    };
    let private = root.private();
    let ident = |name| Ident::new(name, Span::call_site());
    let strategy = ident(built.strategy);
    let max = built.max.map(|max| quote!(.max(#max)));
    let base = built.base.map(|base| {
        let base = millis(base);
        quote!(.base(#base))
    });
    let cap = built.cap.map(|cap| {
        let cap = millis(cap);
        quote!(.cap(#cap))
    });
    let factor = built.factor.map(|factor| quote!(.factor(#factor)));
    let jitter = built.jitter.map(|jitter| {
        let jitter = ident(jitter);
        quote!(.jitter(#private::Jitter::#jitter))
    });
    let within = built.within.map(|within| {
        let within = millis(within);
        quote!(.within(#within))
    });
    let on = (!built.on.is_empty()).then(|| {
        let kinds = built.on.iter().map(|kind| ident(kind));
        quote!(.on(&[#(#private::Kind::#kinds),*]))
    });
    let verify = plan.verify_commit.then(|| quote!(.verify_commit()));
    let idempotent = plan.idempotent.then(|| quote!(.idempotent()));
    quote! {
        .retry(
            #private::RetryPolicy::#strategy() #max #base #cap #factor #jitter #within #on
            #verify #idempotent
        )
    }
}

/// The policy of one call, for a call that has a session.
pub(crate) fn retrying(plan: &Plan, root: &Root) -> TokenStream {
    match &plan.policy {
        Policy::Given(policy) => {
            let policy = widened(plan, policy, root);
            quote!(.retrying(#policy))
        }
        Policy::Built(_) => TokenStream::new(),
    }
}

/// A policy made elsewhere, with what this function says of itself.
fn widened(plan: &Plan, policy: &Expr, root: &Root) -> TokenStream {
    let private = root.private();
    let mut policy = quote!(#policy);
    if plan.verify_commit {
        policy = quote!(#private::RetryPolicy::verify_commit(#policy));
    }
    if plan.idempotent {
        policy = quote!(#private::RetryPolicy::idempotent(#policy));
    }
    policy
}

/// Whether each argument can be had again.
pub(crate) fn probes(plan: &Plan, root: &Root) -> TokenStream {
    let private = root.private();
    let probed = plan
        .arguments
        .iter()
        .filter(|argument| argument.cloned && !types::holds_impl(&argument.ty));
    probed
        .map(|argument| {
            let Argument { ty, attributes, .. } = argument;
            let cfg = attributes
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"));
            let probe = quote!(#private::assert_clone::<#ty>(););
            let probe = spans::gather(probe, spans::at(ty));
            quote!(#(#cfg)* #probe)
        })
        .collect()
}

/// Binds for one attempt what the body is going to use up. An argument that only `pool` or `policy`
/// names has been used all the same.
fn again(plan: &Plan, pool: Option<&Expr>) -> TokenStream {
    let policy = match &plan.policy {
        Policy::Given(policy) => Some(policy),
        Policy::Built(_) => None,
    };
    let bind = |argument| {
        let bind = bind(argument);
        let mut used = pool.into_iter().chain(policy);
        if used.any(|expression| argument.is_named_in(expression)) {
            return quote!(#[allow(unused_variables, unused_mut)] #bind);
        }
        bind
    };
    plan.arguments.iter().map(bind).collect()
}

/// Binds the patterns among the arguments for an expression that may name their parts.
pub(crate) fn in_scope(plan: &Plan) -> TokenStream {
    let patterns = plan
        .arguments
        .iter()
        .filter(|argument| crate::function::simple_name(&argument.pattern).is_none());
    patterns
        .map(|argument| {
            let bind = bind(argument);
            quote!(#[allow(unused_variables, unused_mut)] #bind)
        })
        .collect()
}

fn bind(argument: &Argument) -> TokenStream {
    let Argument {
        outer,
        pattern,
        ty,
        cloned,
        attributes,
        ..
    } = argument;
    let value = if *cloned {
        // The variable keeps whose it is and is shown at its type, like the probe.
        let mut outer = outer.clone();
        outer.set_span(outer.span().located_at(ty.span()));
        let span = spans::at(ty);
        quote_spanned!(span=> ::core::clone::Clone::clone((&#outer)))
    } else {
        quote!(#outer)
    };
    quote!(#[allow(clippy::used_underscore_binding)] #(#attributes)* let #pattern = #value;)
}

/// The steps of a retry without a session.
pub(crate) fn bare(plan: &Plan, root: &Root, function: &Function) -> Steps {
    let operation = operation_static();
    let [retrying, ended] = ["retrying", "ended"].map(local);
    let start = match &plan.policy {
        Policy::Given(policy) => {
            let policy = widened(plan, policy, root);
            quote!(#operation.retrying_with(#policy))
        }
        Policy::Built(_) => quote!(#operation.retrying()),
    };
    let body = body_future(function, &TokenStream::new());
    Steps {
        before: quote!(let mut #retrying = #start;),
        open: TokenStream::new(),
        run: quote!(#body.await),
        conclude: quote!(#ended),
        finish: spans::gather(
            quote!(#retrying.finish(#ended).await),
            function.error_span(),
        ),
    }
}

/// The loop around the steps of one attempt: an expression of the return type.
pub(crate) fn restart(plan: &Plan, steps: &Steps, pool: Option<&Expr>) -> TokenStream {
    let [kept, ended, result] = ["self", "ended", "result"].map(local);
    let Steps {
        open, run, finish, ..
    } = steps;
    let again = again(plan, pool);
    let (keep, put_back) = if plan.owns_self {
        let span = plan.self_span;
        let clone = quote_spanned!(span=> ::core::clone::Clone::clone(&self));
        (quote!(let #kept = #clone;), quote!(self = #kept;))
    } else {
        (TokenStream::new(), TokenStream::new())
    };
    quote! {
        loop {
            #open
            #keep
            let #ended = { #again #run };
            match #finish {
                ::core::ops::ControlFlow::Break(#result) => break #result,
                ::core::ops::ControlFlow::Continue(()) => { #put_back }
            }
        }
    }
}

/// What the documentation says about the policy.
pub(crate) fn documentation(plan: &Plan) -> String {
    let Policy::Built(built) = &plan.policy else {
        let unknown = unknown(plan);
        return format!(
            "What was not applied and may succeed next time is retried, by a policy made elsewhere.{unknown}"
        );
    };
    let max = built.max.unwrap_or(MAX);
    if built.strategy == "none" || max == 1 {
        return "It is never retried.".to_owned();
    }
    let pace = pace(built);
    let within = built
        .within
        .map(|within| format!(", all within {}", duration::show(within)))
        .unwrap_or_default();
    let unknown = unknown(plan);
    format!(
        "What was not applied and may succeed next time is retried: up to {max} attempts, the first included, {pace}{within}.{unknown}"
    )
}

fn unknown(plan: &Plan) -> &'static str {
    match (plan.verify_commit, plan.idempotent) {
        (true, true) => {
            " A commit without an answer is looked up in the ledger, and repeated where even that has none."
        }
        (true, false) => " A commit without an answer is looked up in the ledger.",
        (false, true) => " A commit without an answer is repeated: the work may be done twice.",
        (false, false) => "",
    }
}

fn pace(built: &Built) -> String {
    let show = |duration: Option<_>, default: &str| {
        duration.map_or_else(|| default.to_owned(), duration::show)
    };
    match built.strategy {
        "immediate" => "without a pause".to_owned(),
        "fixed" => format!("{} apart", show(built.base, "1s")),
        _ => format!(
            "with growing pauses from {} to {}",
            show(built.base, "10ms"),
            show(built.cap, "1s")
        ),
    }
}

fn millis(duration: std::time::Duration) -> TokenStream {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#millis))
}
