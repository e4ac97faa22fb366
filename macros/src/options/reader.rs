//! What stands between two commas: an option, an arm, or a mistake.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use super::{Given, Options, Table, Takes};
use crate::diagnostics::Mistakes;
use crate::{suggest, words};

pub(super) struct Reader<'a, 'input> {
    pub(super) table: &'a Table,
    pub(super) mistakes: &'a Mistakes,
    pub(super) input: ParseStream<'input>,
    /// Every name met so far, with a valid value or without one.
    pub(super) known: &'a mut Vec<String>,
}

impl Reader<'_, '_> {
    /// Reads one option or arm and leaves the input at the comma behind it.
    pub(super) fn one(&mut self, options: &mut Options) {
        let Ok(name) = self.input.call(Ident::parse_any) else {
            self.nameless(&self.skip());
            return;
        };
        if self.table.arms && self.is_arm() {
            if let Some(arm) = self.arm(name) {
                options.arms.push(arm);
            }
            return;
        }
        let written = name.unraw().to_string();
        let entry = self
            .table
            .options
            .iter()
            .find(|(known, _)| *known == written);
        let Some((_, takes)) = entry else {
            let rest = self.skip();
            if starts_expression(&rest) {
                self.nameless(&quote!(#name #rest));
            } else {
                self.unknown(&name, &written);
            }
            return;
        };
        if let Takes::Later = takes {
            self.skip();
            self.later(&name, &written);
            return;
        }
        if self.known.contains(&written) {
            self.skip();
            self.mistakes
                .push(&name, format!("`{written}` is given twice"));
            return;
        }
        let value = self.value(*takes, &name, &written);
        self.known.push(written);
        options
            .given
            .extend(value.map(|value| Given { name, value }));
    }

    /// A value alone: `5`, `self.pool`, `"23505" => …`.
    fn nameless(&self, written: &TokenStream) {
        let of = self.table.of;
        let (message, help) = if self.table.arms {
            let message = format!("an arm of {of} starts with a word for the error");
            (message, "write `unique => MyError::Variant`".to_owned())
        } else {
            (format!("{of} takes options by name"), self.all())
        };
        self.mistakes.push_with_help(written, message, help);
    }

    fn unknown(&self, name: &Ident, written: &str) {
        let names = || self.table.options.iter().map(|(name, _)| *name);
        let of = self.table.of;
        let meant = suggest::nearest(written, names());
        if self.table.arms {
            if words::find(written).is_some() {
                self.errorless(name);
                return;
            }
            let message = format!("{of} knows neither an option nor an error called `{written}`");
            let help = meant.map_or_else(|| words::help(written), did_you_mean);
            self.mistakes.push_with_help(name, message, help);
            return;
        }
        let message = format!("{of} has no option `{written}`");
        let help = meant.map_or_else(|| self.all(), did_you_mean);
        self.mistakes.push_with_help(name, message, help);
    }

    fn all(&self) -> String {
        let there = self.table.options.iter();
        let there = there.filter(|(_, takes)| !matches!(takes, Takes::Later));
        let quoted: Vec<_> = there.map(|(name, _)| format!("`{name}`")).collect();
        format!("the options are {}", quoted.join(", "))
    }

    pub(super) fn later(&self, at: impl ToTokens, written: &str) {
        self.mistakes
            .push(at, format!("`{written}` is not available yet"));
    }

    /// Takes everything up to the next comma of this level.
    pub(super) fn skip(&self) -> TokenStream {
        let mut skipped = TokenStream::new();
        while !self.input.is_empty() && !self.input.peek(Token![,]) {
            match self.input.parse::<TokenTree>() {
                Ok(tree) => skipped.extend([tree]),
                Err(_) => break,
            }
        }
        skipped
    }
}

/// Whether what stands behind a name makes it an expression: `self.pool`, `Pools::main()`.
fn starts_expression(rest: &TokenStream) -> bool {
    let Some(TokenTree::Punct(mark)) = rest.clone().into_iter().next() else {
        return false;
    };
    mark.as_char() == '.' || (mark.as_char() == ':' && mark.spacing() == Spacing::Joint)
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}
