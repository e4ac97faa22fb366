//! The way from a door to its tokens, and the one place that emits compile errors.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::parse2;

use crate::diagnostics::Mistakes;
use crate::function::Function;
use crate::session_error;
use crate::stack::{self, Door};
use crate::unit;

/// One of the three attributes on an item.
pub(crate) fn attribute(door: Door, args: TokenStream, item: TokenStream) -> TokenStream {
    if stack::is_taken(&args) {
        return item;
    }
    let mistakes = Mistakes::new();
    let written = match parse2::<Function>(item.clone()) {
        Ok(function) => unit::expand(door, args, function, &mistakes),
        Err(error) => {
            not_a_function(door, &item, error, &mistakes);
            item
        }
    };
    report(&written, mistakes)
}

/// `#[derive(SessionError)]` on an item.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let mistakes = Mistakes::new();
    let plan =
        session_error::read(item, &mistakes).map(|args| session_error::decide(args, &mistakes));
    let written = plan.as_ref().map(session_error::write).unwrap_or_default();
    report(&written, mistakes)
}

/// The user's item comes first, what is wrong with it after.
fn report(written: &TokenStream, mistakes: Mistakes) -> TokenStream {
    let errors = mistakes.into_tokens();
    quote!(#written #errors)
}

fn not_a_function(door: Door, item: &TokenStream, error: syn::Error, mistakes: &Mistakes) {
    const ITEMS: [&str; 11] = [
        "struct", "enum", "union", "trait", "impl", "mod", "type", "static", "const", "use", "let",
    ];
    const MODIFIERS: [&str; 3] = ["async", "unsafe", "extern"];
    let words = item.clone().into_iter();
    let mut words = words.take_while(|word| !is(word, &["fn"])).peekable();
    let mut keyword = None;
    while let Some(word) = words.next() {
        // A `const` may be the head of a function too.
        let ahead = words.peek().is_none_or(|next| is(next, &MODIFIERS));
        if is(&word, &ITEMS) && !ahead {
            keyword = Some(word);
            break;
        }
    }
    let Some(keyword) = keyword else {
        mistakes.record(error);
        return;
    };
    let name = door.name();
    mistakes.push_with_help(
        &keyword,
        format!("`#[{name}]` goes on a function, not on `{keyword}`"),
        format!("write `#[{name}]` above each `async fn`"),
    );
}

fn is(tree: &TokenTree, words: &[&str]) -> bool {
    matches!(tree, TokenTree::Ident(word) if words.iter().any(|known| word == known))
}

#[cfg(test)]
mod tests;
