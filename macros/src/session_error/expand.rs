//! What `#[derive(SessionError)]` writes.

use proc_macro2::TokenStream;
use quote::quote;

use super::plan::{Held, Plan};
use crate::function::local;
use crate::spans;
use crate::steps::Root;

pub(crate) fn write(plan: &Plan) -> TokenStream {
    let root = Root::new(plan.root.as_ref());
    let (public, private) = (root.public(), root.private());
    let name = &plan.name;
    let (generics, parameters, bounds) = plan.generics.split_for_impl();
    let error = local("error");
    // Where a mistake left no variant the implementations are there all the same, so that it stays the only one.
    let never = quote!(::core::unreachable!());
    let dropped = quote!({ let _ = #error; #never });
    let wrapped = plan.held.as_ref().map_or_else(
        || dropped.clone(),
        |Held { variant, ty, .. }| {
            let held = spans::gather(quote!(#error), spans::at(ty));
            quote!(Self::#variant(#held))
        },
    );
    let classify = |method: TokenStream| {
        let Some(Held {
            variant, others, ..
        }) = &plan.held
        else {
            return never.clone();
        };
        let others = others.then(|| quote!(_ => ::core::option::Option::None,));
        quote! {
            match self {
                Self::#variant(#error) => #public::Classify::#method(#error),
                #others
            }
        }
    };
    let category = classify(quote!(category));
    let outcome = classify(quote!(outcome));
    let session_error_mut = classify(quote!(session_error_mut));
    let fault = classify(quote!(fault));
    let from_session = (!plan.taken.from_session).then(|| {
        quote! {
            #[automatically_derived]
            impl #generics ::core::convert::From<#public::Error> for #name #parameters #bounds {
                fn from(#error: #public::Error) -> Self {
                    #wrapped
                }
            }
        }
    });
    let converted = plan.held.as_ref().map_or_else(
        || dropped.clone(),
        |_| quote! {
            <Self as ::core::convert::From<#public::Error>>::from(::core::convert::From::from(#error))
        },
    );
    let from_sqlx = (!plan.taken.from_sqlx).then(|| {
        quote! {
            #[automatically_derived]
            impl #generics ::core::convert::From<#private::sqlx::Error> for #name #parameters #bounds {
                fn from(#error: #private::sqlx::Error) -> Self {
                    #converted
                }
            }
        }
    });
    quote! {
        #from_session
        #from_sqlx
        #[automatically_derived]
        impl #generics #public::Classify for #name #parameters #bounds {
            fn category(&self) -> ::core::option::Option<#public::Category> {
                #category
            }
            fn outcome(&self) -> ::core::option::Option<#public::Outcome> {
                #outcome
            }
            fn session_error_mut(&mut self) -> ::core::option::Option<&mut #public::Error> {
                #session_error_mut
            }
            fn fault(&self) -> ::core::option::Option<#private::Fault<'_>> {
                #fault
            }
        }
    }
}
