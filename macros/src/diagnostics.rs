//! The collector of mistakes: all of them are reported at once, each at its own token.

use std::cell::RefCell;
use std::fmt::Display;
use std::thread;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Every mistake found so far in one use of a macro.
///
/// Must end in [`Mistakes::into_tokens`]: a collector that is forgotten would swallow the user's
/// mistakes, so its drop panics.
pub(crate) struct Mistakes {
    /// `None` once the mistakes were handed over.
    found: RefCell<Option<Vec<Error>>>,
}

impl Mistakes {
    pub(crate) fn new() -> Self {
        Self {
            found: RefCell::new(Some(Vec::new())),
        }
    }

    /// Records a mistake that needs no more than its rule to be mended.
    pub(crate) fn push(&self, at: impl ToTokens, message: impl Display) {
        self.record(Error::new_spanned(at, message));
    }

    /// Records a mistake and, on a line of its own, how to mend it.
    pub(crate) fn push_with_help(
        &self,
        at: impl ToTokens,
        message: impl Display,
        help: impl Display,
    ) {
        self.push(at, format_args!("{message}\nhelp: {help}"));
    }

    /// Records what syn found.
    pub(crate) fn record(&self, error: Error) {
        if let Some(found) = self.found.borrow_mut().as_mut() {
            found.push(error);
        }
    }

    /// The mistakes as `compile_error!` items, in the order they were found.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let found = self.found.borrow_mut().take().unwrap_or_default();
        found.iter().map(Error::to_compile_error).collect()
    }
}

impl Drop for Mistakes {
    fn drop(&mut self) {
        let reported = self.found.borrow().is_none();
        assert!(
            reported || thread::panicking(),
            "mistakes were collected and never reported"
        );
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::Mistakes;

    #[test]
    fn mistakes_come_out_in_the_order_they_went_in() {
        let mistakes = Mistakes::new();
        mistakes.push(quote!(a), "first");
        mistakes.push_with_help(quote!(b), "second", "do this");
        let text = mistakes.into_tokens().to_string();
        let first = text.find("first").expect("the first mistake");
        let second = text
            .find(r"second\nhelp: do this")
            .expect("the second mistake");
        assert!(first < second, "{text}");
    }

    #[test]
    fn no_mistake_is_no_token() {
        assert!(Mistakes::new().into_tokens().is_empty());
    }

    #[test]
    #[should_panic(expected = "never reported")]
    fn a_forgotten_collector_panics() {
        Mistakes::new().push(TokenStream::new(), "lost");
    }

    #[test]
    #[should_panic(expected = "the first panic")]
    fn a_panic_is_not_doubled() {
        let _mistakes = Mistakes::new();
        panic!("the first panic");
    }
}
