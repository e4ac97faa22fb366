//! What `#[derive(SessionError)]` writes.

use proc_macro2::TokenStream;
use quote::quote;

use super::holders::Holder;
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
    let Methods {
        category,
        outcome,
        session_error_mut,
        adopted,
        fault,
    } = methods(plan, &never, public, &private);
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
            fn adopted(&mut self) -> ::core::option::Option<&mut #public::Error> {
                #adopted
            }
            fn fault(&self) -> ::core::option::Option<#private::Fault<'_>> {
                #fault
            }
        }
    }
}

/// The bodies of `Classify`.
struct Methods {
    category: TokenStream,
    outcome: TokenStream,
    session_error_mut: TokenStream,
    adopted: TokenStream,
    fault: TokenStream,
}

fn methods(
    plan: &Plan,
    never: &TokenStream,
    public: &TokenStream,
    private: &TokenStream,
) -> Methods {
    let Some(Held {
        variant, others, ..
    }) = &plan.held
    else {
        return Methods {
            category: never.clone(),
            outcome: never.clone(),
            session_error_mut: never.clone(),
            adopted: never.clone(),
            fault: never.clone(),
        };
    };
    let error = local("error");
    let ask = |method: &TokenStream, arms: TokenStream| {
        quote! {
            match self {
                Self::#variant(#error) => #public::Classify::#method(#error),
                #arms
            }
        }
    };
    let none = quote!(_ => ::core::option::Option::None,);
    let covered = plan.holders.iter().filter(|holder| !holder.optional);
    let open = (covered.count() < *others).then_some(&none);
    let through = |method: &TokenStream| {
        let arms = plan.holders.iter();
        let arms = arms.map(|holder| look(holder, method, private));
        ask(method, quote!(#(#arms)* #open))
    };
    // What the fault in the others says.
    let derived = |said: TokenStream| match (plan.holders.is_empty(), others) {
        (_, 0) => TokenStream::new(),
        (true, _) => none.clone(),
        (false, _) => quote!(_ => #said,),
    };
    let fault = quote!(&#public::Classify::fault(self)?);
    let category = quote!(::core::option::Option::Some(#private::Fault::category(#fault)));
    let outcome = quote!(#private::Fault::outcome(#fault));
    Methods {
        category: ask(&quote!(category), derived(category)),
        outcome: ask(&quote!(outcome), derived(outcome)),
        session_error_mut: through(&quote!(session_error_mut)),
        adopted: through(&quote!(adopted)),
        fault: through(&quote!(fault)),
    }
}

/// The arm of a variant that holds an error of any type.
fn look(holder: &Holder, method: &TokenStream, private: &TokenStream) -> TokenStream {
    let Holder {
        variant,
        member,
        ty,
        optional,
    } = holder;
    let error = local("error");
    let looked = spans::gather(quote!(#private::Held::new(#error).#method()), spans::at(ty));
    let pattern = if *optional {
        quote!(::core::option::Option::Some(#error))
    } else {
        quote!(#error)
    };
    quote!(Self::#variant { #member: #pattern, .. } => #looked,)
}
