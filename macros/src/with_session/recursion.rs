//! A function that calls itself in its own session: how it is written, and how one that lacks the option is found.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{ReturnType, Signature, Type, parse_quote};

use crate::diagnostics::Mistakes;
use crate::function::{Function, Receiver, mentions};
use crate::spans;

/// Makes an `async fn` a function that returns a future, of which it promises that it is `Send`: nobody has to look
/// into it, which for a future that contains itself has no end.
pub(crate) fn signature(signature: &mut Signature) {
    let output = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, output) => (**output).clone(),
    };
    // In the edition of this crate: what it captures is everything, whatever the edition of the user's.
    let span = spans::at(&output);
    let future = quote_spanned! {span=>
        impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    signature.asyncness = None;
    signature.output = ReturnType::Type(parse_quote!(->), Box::new(Type::Verbatim(future)));
}

/// The body of such a function. The box is what lets the future contain itself.
pub(crate) fn body(body: &TokenStream) -> TokenStream {
    quote!(::std::boxed::Box::pin(async move { #body }))
}

/// Finds a call of the function in its body that hands on `session`. Such a future contains itself, and is not known to
/// be `Send` either: rustc's errors about both are long and do not say what to do.
pub(super) fn look_for(function: &Function, session: &Ident, mistakes: &Mistakes) -> bool {
    let Some(body) = &function.body else {
        return false;
    };
    let sought = Sought {
        name: &function.signature.ident,
        session,
        free: function.receiver() == Receiver::None,
    };
    if sought.is_another(body.stream()) {
        return false;
    }
    let Some(call) = sought.call(body.stream()) else {
        return false;
    };
    let name = function.name();
    let (path, other) = if sought.free {
        ("by its path", format!("self::{name}"))
    } else {
        ("by its type", format!("Type::{name}"))
    };
    mistakes.push_with_help(
        call,
        format!(
            "`{name}` calls itself in its own session: as an `async fn` its future would contain itself, and not be known to be `Send`"
        ),
        format!(
            "write `#[with_session(recursive)]`; if another `{name}` is meant, call it {path}, as in `{other}(…)`"
        ),
    );
    true
}

struct Sought<'a> {
    name: &'a Ident,
    session: &'a Ident,
    free: bool,
}

impl Sought<'_> {
    /// Whether the body gives the name to something else: an item, a variable, an import.
    fn is_another(&self, body: TokenStream) -> bool {
        let trees: Vec<TokenTree> = body.into_iter().collect();
        trees.iter().enumerate().any(|(place, tree)| match tree {
            TokenTree::Group(group) => self.is_another(group.stream()),
            TokenTree::Ident(word) if word == self.name => {
                let before = place.checked_sub(1).and_then(|place| trees.get(place));
                ["fn", "let", "mut"].iter().any(|word| is(before, word))
            }
            TokenTree::Ident(word) if word == "use" => {
                let import = trees[place..]
                    .iter()
                    .take_while(|tree| !is(Some(tree), ";"));
                mentions(import.cloned().collect(), &|word| word == self.name)
            }
            _ => false,
        })
    }

    /// The name in the first call of the function with its session.
    fn call(&self, body: TokenStream) -> Option<Ident> {
        let trees: Vec<TokenTree> = body.into_iter().collect();
        trees
            .iter()
            .enumerate()
            .find_map(|(place, tree)| match tree {
                TokenTree::Group(group) => self.call(group.stream()),
                TokenTree::Ident(word) if word == self.name => {
                    let arguments = trees.get(place + 1).filter(|tree| is_call(Some(tree)))?;
                    let ours = self.is_own(&trees[..place]) && self.hands_on(arguments);
                    ours.then(|| word.clone())
                }
                _ => None,
            })
    }

    /// Whether what stands before the name makes it this function's.
    fn is_own(&self, before: &[TokenTree]) -> bool {
        let back = |steps| before.iter().rev().nth(steps);
        if is(back(0), ".") {
            !self.free && is(back(1), "self")
        } else if is(back(0), ":") {
            is(back(2), "Self")
        } else {
            self.free
        }
    }

    fn hands_on(&self, arguments: &TokenTree) -> bool {
        let TokenTree::Group(arguments) = arguments else {
            return false;
        };
        // Not what is hidden in an argument that is a call itself.
        arguments
            .stream()
            .into_iter()
            .any(|tree| matches!(&tree, TokenTree::Ident(word) if word == self.session))
    }
}

fn is(tree: Option<&TokenTree>, text: &str) -> bool {
    match tree {
        Some(TokenTree::Ident(word)) => word == text,
        Some(TokenTree::Punct(mark)) => text.len() == 1 && text.starts_with(mark.as_char()),
        _ => false,
    }
}

fn is_call(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse2;

    use super::look_for;
    use crate::diagnostics::Mistakes;
    use crate::function::Function;

    fn found(function: proc_macro2::TokenStream) -> bool {
        let function: Function = parse2(function).expect("a function");
        let session = syn::parse_quote!(session);
        let mistakes = Mistakes::new();
        let found = look_for(&function, &session, &mistakes);
        assert_eq!(found, !mistakes.into_tokens().is_empty());
        found
    }

    #[test]
    fn a_function_that_hands_its_session_to_itself_is_found() {
        for body in [
            quote!(walk(session).await),
            quote!(Box::pin(walk(&mut *session, depth - 1)).await),
            quote!(for _ in 0..2 {
                if true {
                    return walk(&mut *session, 1).await;
                }
            }),
            quote!(Self::walk(session).await),
        ] {
            assert!(
                found(quote!(async fn walk(session: &mut PgSession) -> R { #body })),
                "{body}"
            );
        }
        for body in [
            quote!(self.walk(session).await),
            quote!(Self::walk(self, &mut *session).await),
            quote!((self.walk(&mut *session, 1), 2)),
        ] {
            assert!(
                found(quote!(async fn walk(&self, session: &mut PgSession) -> R { #body })),
                "{body}"
            );
        }
    }

    #[test]
    fn what_only_bears_its_name_is_left_alone() {
        for body in [
            quote!(other::walk(session).await),
            quote!(self::walk(session).await),
            quote!(tree.walk(session).await),
            quote!(Tree::walk(session).await),
            quote!(walk(pool).await),
            quote!(walk(begin(session))),
            quote!(walk),
            quote!(walk { session }),
            quote!(walker(session).await),
            quote!(fn walk(_: &mut PgSession) {}, walk(session)),
            quote!(use other::walk;, walk(session).await),
            quote!(use other::{climb, find as walk};, walk(session).await),
            quote!(
                let walk = |_| ();
                walk(session)
            ),
        ] {
            assert!(
                !found(quote!(async fn walk(session: &mut PgSession) -> R { #body })),
                "{body}"
            );
        }
        for body in [
            quote!(walk(session).await),
            quote!(self.tree.walk(session).await),
            quote!(Tree::walk(self, session).await),
        ] {
            assert!(
                !found(quote!(async fn walk(&self, session: &mut PgSession) -> R { #body })),
                "{body}"
            );
        }
        assert!(!found(quote!(
            async fn walk(session: &mut PgSession) -> R;
        )));
    }
}
