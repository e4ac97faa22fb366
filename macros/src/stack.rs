//! Finds the sibling attributes of the one that was invoked: the three work as one unit, whatever
//! their order.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Meta, Path, PathSegment, parse_quote};

use crate::diagnostics::Mistakes;

/// The three attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    WithSession,
    Retry,
    DbErrorHandling,
}

impl Door {
    const ALL: [Self; 3] = [Self::WithSession, Self::Retry, Self::DbErrorHandling];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WithSession => "with_session",
            Self::Retry => "retry",
            Self::DbErrorHandling => "db_error_handling",
        }
    }
}

/// What is written in the parentheses of each attribute that the function bears.
#[derive(Default)]
pub(crate) struct Stack {
    pub(crate) session: Option<TokenStream>,
    pub(crate) retry: Option<TokenStream>,
    pub(crate) errors: Option<TokenStream>,
}

impl Stack {
    /// Takes over from the siblings of `door` among `attributes`. Each stays where it is, marked as
    /// taken: expanding it keeps the user's `use steadfast::retry` used, and proves that the name
    /// is ours.
    pub(crate) fn gather(
        door: Door,
        args: TokenStream,
        attributes: &mut Vec<Attribute>,
        mistakes: &Mistakes,
    ) -> Self {
        let roots = roots(&args, attributes);
        let mut stack = Self::default();
        *stack.slot(door) = Some(args);
        for attribute in attributes {
            let Some(door) = sibling(attribute, &roots) else {
                continue;
            };
            let args = arguments(attribute, door, mistakes);
            if stack.slot(door).is_some() {
                let message = format!("`#[{}]` is given twice", door.name());
                mistakes.push(&attribute, message);
            } else {
                *stack.slot(door) = Some(args);
            }
            take(attribute);
        }
        stack
    }

    /// The attribute that says most about the function, for messages about all of them.
    pub(crate) fn first(&self) -> Door {
        if self.session.is_some() {
            Door::WithSession
        } else if self.retry.is_some() {
            Door::Retry
        } else {
            Door::DbErrorHandling
        }
    }

    fn slot(&mut self, door: Door) -> &mut Option<TokenStream> {
        match door {
            Door::WithSession => &mut self.session,
            Door::Retry => &mut self.retry,
            Door::DbErrorHandling => &mut self.errors,
        }
    }
}

/// What a sibling says between its parentheses once it was taken.
const TAKEN: &str = "__steadfast_taken";

/// Whether these are the arguments of an attribute that another one has taken over.
pub(crate) fn is_taken(args: &TokenStream) -> bool {
    args.to_string() == TAKEN
}

fn take(attribute: &mut Attribute) {
    let path = attribute.path().clone();
    let taken = Ident::new(TAKEN, Span::call_site());
    attribute.meta = parse_quote!(#path(#taken));
}

/// Which of the three an attribute is: by its name alone (`retry`), in a crate known to be ours
/// (`steadfast::retry`, or what `crate = …` says), or because it says itself where the crate is.
/// With any other path it is someone else's.
fn sibling(attribute: &Attribute, roots: &[String]) -> Option<Door> {
    let path = attribute.path();
    let name = &path.segments.last()?.ident;
    let door = Door::ALL.into_iter().find(|door| name == door.name())?;
    let mut owner = path.clone();
    owner.leading_colon = None;
    owner.segments.pop();
    owner.segments.pop_punct();
    let owner = owner.to_token_stream().to_string();
    let args = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let ours = owner.is_empty() || roots.contains(&owner) || root(args.clone()).is_some();
    (ours && !is_taken(&args)).then_some(door)
}

/// The names under which this function's attributes know the crate.
fn roots(args: &TokenStream, attributes: &[Attribute]) -> Vec<String> {
    let mut roots = vec!["steadfast".to_owned()];
    roots.extend(root(args.clone()));
    for attribute in attributes {
        let ours =
            |segment: &PathSegment| Door::ALL.iter().any(|door| segment.ident == door.name());
        if attribute.path().segments.last().is_some_and(ours)
            && let Meta::List(list) = &attribute.meta
        {
            roots.extend(root(list.tokens.clone()));
        }
    }
    roots
}

/// The path of a `crate = path` among the tokens of an attribute.
fn root(tokens: TokenStream) -> Option<String> {
    let mut trees = tokens.into_iter();
    while let Some(tree) = trees.next() {
        let TokenTree::Ident(word) = &tree else {
            continue;
        };
        if word != "crate" {
            continue;
        }
        let mut rest = trees.clone();
        if rest.next().is_some_and(|tree| tree.to_string() == "=") {
            let path: TokenStream = rest.take_while(|tree| tree.to_string() != ",").collect();
            let mut path = syn::parse2::<Path>(path).ok()?;
            path.leading_colon = None;
            return Some(path.to_token_stream().to_string());
        }
    }
    None
}

fn arguments(attribute: &Attribute, door: Door, mistakes: &Mistakes) -> TokenStream {
    match &attribute.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            let name = door.name();
            mistakes.push_with_help(
                attribute,
                format!("`#[{name}]` takes its options in parentheses"),
                format!("write `#[{name}(…)]`"),
            );
            TokenStream::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};
    use syn::{ItemFn, parse_quote};

    use super::{Door, Stack};
    use crate::diagnostics::Mistakes;

    fn gather(door: Door, mut function: ItemFn) -> (Stack, String, String) {
        let mistakes = Mistakes::new();
        let stack = Stack::gather(door, quote!(a), &mut function.attrs, &mistakes);
        let kept = function
            .attrs
            .iter()
            .map(|attribute| attribute.to_token_stream().to_string())
            .collect();
        (stack, kept, mistakes.into_tokens().to_string())
    }

    #[test]
    fn siblings_are_taken_and_the_rest_stays_in_order() {
        let (stack, kept, mistakes) = gather(
            Door::Retry,
            parse_quote! {
                #[doc = "x"]
                #[::steadfast::with_session(b)]
                #[instrument(c)]
                #[db_error_handling]
                #[other::retry]
                fn f() {}
            },
        );
        assert!(mistakes.is_empty(), "{mistakes}");
        assert_eq!(stack.session.expect("with_session").to_string(), "b");
        assert_eq!(stack.retry.expect("retry").to_string(), "a");
        assert!(stack.errors.expect("db_error_handling").is_empty());
        assert_eq!(
            kept,
            "# [doc = \"x\"]# [:: steadfast :: with_session (__steadfast_taken)]# [instrument (c)]\
             # [db_error_handling (__steadfast_taken)]# [other :: retry]"
        );
    }

    #[test]
    fn a_renamed_crate_is_known_by_its_option() {
        let (stack, _, mistakes) = gather(
            Door::WithSession,
            parse_quote! {
                #[retry(max = 3, crate = ::sf)]
                #[sf::db_error_handling]
                fn f() {}
            },
        );
        assert!(mistakes.is_empty(), "{mistakes}");
        assert!(stack.retry.is_some() && stack.errors.is_some());
    }

    #[test]
    fn what_another_has_taken_is_left_alone() {
        let function = parse_quote!(
            #[retry(__steadfast_taken)]
            fn f() {}
        );
        let (stack, kept, mistakes) = gather(Door::WithSession, function);
        assert!(stack.retry.is_none());
        assert!(kept.contains("retry (__steadfast_taken)"), "{kept}");
        assert!(mistakes.is_empty(), "{mistakes}");
    }

    #[test]
    fn a_second_of_a_kind_is_a_mistake() {
        let (_, kept, mistakes) = gather(
            Door::Retry,
            parse_quote!(
                #[retry(max = 2)]
                fn f() {}
            ),
        );
        assert!(kept.contains("retry (__steadfast_taken)"), "{kept}");
        assert!(mistakes.contains("`#[retry]` is given twice"), "{mistakes}");
    }
}
