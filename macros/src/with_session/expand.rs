//! What `#[with_session]` writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{FnArg, Token, Type, parse_quote};

use super::plan::Plan;
use super::terms::{Nested, STRICTEST, Terms};
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
    let Terms {
        isolation,
        read_only,
        autocommit,
        nested,
        timeout,
        lock_timeout,
        statement_timeout,
    } = &plan.terms;
    let isolation = isolation.as_ref().map(|isolation| {
        let level = ident(isolation.level);
        quote!(.isolation(#private::Isolation::#level))
    });
    let nested = match nested {
        Nested::Savepoint => None,
        Nested::Join => Some(quote!(.nested(#private::Nested::Join))),
        Nested::Never => Some(quote!(.nested(#private::Nested::Never))),
    };
    let flags = [("read_only", *read_only), ("autocommit", *autocommit)];
    let flags = flags.into_iter().filter_map(|(name, given)| {
        let name = ident(name);
        given.then(|| quote!(.#name()))
    });
    let limits = [
        ("timeout", timeout),
        ("lock_timeout", lock_timeout),
        ("statement_timeout", statement_timeout),
    ];
    let limits = limits.into_iter().filter_map(|(name, limit)| {
        let (name, limit) = (ident(name), (*limit)?);
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Some(quote!(.#name(#millis)))
    });
    let options: TokenStream = isolation
        .into_iter()
        .chain(nested)
        .chain(flags)
        .chain(limits)
        .collect();
    if options.is_empty() {
        return options;
    }
    quote!(.options(#private::Options::new() #options))
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

/// Questions to the types that only the compiler can answer.
pub(crate) fn probes(plan: &Plan, root: &Root) -> TokenStream {
    let private = root.private();
    let ty = &plan.session.ty;
    let session = spans::gather(quote!(#private::assert_session::<#ty>();), spans::at(ty));
    let isolation = plan.terms.isolation.as_ref();
    let weaker = isolation.filter(|isolation| isolation.level != STRICTEST);
    let isolation = weaker.map(|isolation| {
        let probe = quote!(#private::assert_weaker_isolation::<#ty>(););
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
    let [call, attempt, limits, ended, pool, lent] =
        ["call", "attempt", "limits", "ended", "pool", "session"].map(local);
    let (bind, source) = match &plan.pool {
        Some(expression) => {
            let expression = spans::lent(expression);
            let bind = quote! {
                let #pool = { #in_scope #private::pool_of::<#database>(#expression) };
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
    let borrow = spans::gather(quote!(let #lent = #attempt.session();), session);
    let error = function.error_span();
    let opening = {
        let given = opening(plan, root, &lent, error);
        quote! { #(#attributes)* let #pattern: &mut #ty = #given; }
    };
    let body = body_future(function, &opening);
    Steps {
        before: quote! {
            #bind
            #[allow(clippy::used_underscore_binding)]
            #begun(#source) #retrying;
        },
        open: quote! {
            #opened
            let #limits = #attempt.limits();
            #borrow
        },
        run: quote!(#private::shielded(#limits, #body).await),
        conclude: spans::gather(quote!(#attempt.conclude(#ended).await), error),
        finish: spans::gather(quote!(#attempt.finish(#ended).await), error),
    }
}

/// What the body gets of its session, an expression. Where that is a connection it is opened here, within the body's
/// limits, and a failure to open it is the body's.
fn opening(plan: &Plan, root: &Root, lent: &Ident, error: Span) -> TokenStream {
    let private = root.private();
    let ty = &plan.session.ty;
    let [given, refused] = ["given", "refused"].map(local);
    let open = quote!(<#ty as #private::SessionType>::of(#lent).await);
    let open = spans::gather(open, spans::at(ty));
    let fail = spans::gather(quote!(#private::refused(#refused)), error);
    quote! {
        match #open {
            ::core::result::Result::Ok(#given) => #given,
            ::core::result::Result::Err(#refused) => return #fail,
        }
    }
}

/// What the documentation says about the session.
pub(crate) fn documentation(plan: &Plan, function: &Function) -> String {
    let terms = &plan.terms;
    let place = match (&plan.pool, terms.nested) {
        (Some(_), _) | (None, Nested::Never) => "a session of its own",
        (None, Nested::Join) => {
            "a session of its own when it is given a pool, or as a part of the work of the caller's session"
        }
        (None, Nested::Savepoint) if terms.autocommit => {
            "a session of its own when it is given a pool, or in the caller's session"
        }
        (None, Nested::Savepoint) => {
            "a session of its own when it is given a pool, or as a savepoint of the caller's session"
        }
    };
    let end = if terms.autocommit {
        "without a transaction: each statement stands for itself, and what was done stays done"
    } else {
        "committed when it returns `Ok`, rolled back however else it ends"
    };
    let mut text = format!("Runs in {place}: {end}.");
    let limit =
        |limit: Option<_>, what| limit.map(|limit| format!("{what} {}", duration::show(limit)));
    let isolation = terms.isolation.as_ref();
    let details: Vec<String> = [
        isolation.map(|isolation| format!("isolation is `{}`", isolation.at)),
        terms.read_only.then(|| "it only reads".to_owned()),
        limit(terms.timeout, "it ends within"),
        limit(terms.statement_timeout, "a statement takes at most"),
        limit(terms.lock_timeout, "a wait for a lock at most"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !details.is_empty() {
        text = format!("{text} In detail: {}.", details.join(", "));
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
