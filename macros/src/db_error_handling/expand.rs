//! What `#[db_error_handling]` writes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::plan::{Plan, Translation};
use crate::function::{Function, local};
use crate::spans;
use crate::steps::{Root, Steps, body_future, operation as operation_static};

/// The mark on the operation's static.
pub(crate) fn operation() -> TokenStream {
    quote!(.handles_errors())
}

/// The steps of a function with neither a session nor a retry.
pub(crate) fn bare(function: &Function, root: &Root) -> Steps {
    let private = root.private();
    let ended = local("ended");
    let run = if function.is_async() {
        let body = body_future(function, &TokenStream::new());
        quote!(#body.await)
    } else {
        let (output, body) = (function.output_annotation(), &function.body);
        quote!(#private::run(move || -> #output #body))
    };
    Steps {
        before: TokenStream::new(),
        open: TokenStream::new(),
        run,
        conclude: quote!(#ended),
        finish: TokenStream::new(),
    }
}

/// Hands the result to the runtime, and to the arms what is wrong with it.
pub(crate) fn handle(plan: &Plan, root: &Root, function: &Function, result: &Ident) -> TokenStream {
    let private = root.private();
    let operation = operation_static();
    let (callee, result) = {
        let error = function.error_span();
        let callee = spans::gather(quote!(#private::handle), error);
        (callee, spans::gather(quote!(#result), error))
    };
    let fault = if plan.arms.is_empty() {
        quote!(_)
    } else {
        let fault = local("fault");
        quote!(#fault)
    };
    let arms = plan.arms.iter().map(|arm| translate(arm, root, &fault));
    // From the first arm to the last: there the compiler shows an argument that the body has used up.
    let (first, last) = (plan.arms.first(), plan.arms.last());
    let first = first.map_or_else(Span::mixed_site, |arm| spans::at(&arm.error));
    let last = last.map_or_else(Span::mixed_site, |arm| spans::at_end(&arm.error));
    let (from, to) = (quote_spanned!(first=> |), quote_spanned!(last=> |));
    quote! {
        #callee(&#operation, #result, #from #fault #to {
            #(#arms)*
            ::core::option::Option::None
        })
    }
}

fn translate(arm: &Translation, root: &Root, fault: &TokenStream) -> TokenStream {
    let private = root.private();
    let kind = Ident::new(arm.kind, Span::call_site());
    let constraint = arm.constraint.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |constraint| quote!(::core::option::Option::Some(#constraint)),
    );
    let error = &arm.error;
    quote! {
        if #fault.matches(#private::Kind::#kind, #constraint) {
            return ::core::option::Option::Some(#error);
        }
    }
}

/// What the documentation says about errors.
pub(crate) fn documentation(plan: &Plan) -> String {
    let counted = "Database errors are counted and logged under the name of this operation";
    if plan.arms.is_empty() {
        return format!("{counted}.");
    }
    format!("{counted}, and some become errors of the domain.")
}
