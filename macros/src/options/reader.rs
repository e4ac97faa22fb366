//! What stands between two commas: an option, an arm, or a mistake.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};

use super::{Given, Options, Table, Takes};
use crate::diagnostics::Mistakes;
use crate::{suggest, words};

pub(super) struct Reader<'a, 'input> {
    pub(super) table: &'a Table,
    pub(super) others: &'a [&'a Table],
    pub(super) mistakes: &'a Mistakes,
    pub(super) input: ParseStream<'input>,
    /// Every name met so far, with a valid value or without one.
    pub(super) known: &'a mut Vec<String>,
}

impl Reader<'_, '_> {
    /// Reads one option or arm and leaves the input at the comma behind it.
    pub(super) fn one(&mut self, options: &mut Options) {
        if self.input.peek(Token![,]) {
            self.mistakes.push_with_help(
                self.take(<Token![,]>::parse),
                format!("nothing stands before this comma of {}", self.table.of),
                "leave it out",
            );
            return;
        }
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
                self.unknown(&name, &written, rest);
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

    fn unknown(&self, name: &Ident, written: &str, rest: TokenStream) {
        if self.table.arms && words::find(written).is_some() {
            self.armless(name, rest);
            return;
        }
        let of = self.table.of;
        let message = if self.table.arms {
            format!("{of} knows neither an option nor an error called `{written}`")
        } else {
            format!("{of} has no option `{written}`")
        };
        self.mistakes
            .push_with_help(name, message, self.meant(written));
    }

    /// What somebody may have meant by a name that is no option here.
    fn meant(&self, written: &str) -> String {
        let synonyms = self.table.synonyms.iter();
        if let Some((_, help)) = synonyms.clone().find(|(synonym, _)| *synonym == written) {
            return (*help).to_owned();
        }
        let elsewhere = self.others.iter().find(|table| table.has(written));
        if let Some(table) = elsewhere {
            return format!("`{written}` is an option of {}", table.of);
        }
        let names = self.table.options.iter().map(|(name, _)| *name);
        match suggest::nearest(written, names) {
            Some(meant) => did_you_mean(meant),
            None if self.table.arms => words::help(written),
            None => self.all(),
        }
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

    /// What follows a value where a comma should stand. What comes behind is read as if it stood there.
    pub(super) fn is_comma_missing(&self) -> bool {
        if self.input.peek(Token![;]) {
            let semicolon = self.take(<Token![;]>::parse);
            self.mistakes
                .push(semicolon, "a comma belongs between two options");
            return true;
        }
        let ahead = self.input.fork().call(Ident::parse_any).ok();
        let next = ahead.filter(|name| self.table.has(&name.unraw().to_string()));
        if let Some(next) = &next {
            self.mistakes.push_with_help(
                next,
                "a comma belongs between two options",
                format!("write `, {next}`"),
            );
        }
        next.is_some()
    }

    /// Whether the next comma of this level, or the last token, has been reached.
    pub(super) fn is_end(&self) -> bool {
        self.input.is_empty() || self.input.peek(Token![,])
    }

    /// Takes everything up to the next comma of this level.
    pub(super) fn skip(&self) -> TokenStream {
        let mut skipped = TokenStream::new();
        while !self.is_end() {
            match self.input.parse::<TokenTree>() {
                Ok(tree) => skipped.extend([tree]),
                Err(_) => break,
            }
        }
        skipped
    }
}

impl Table {
    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == option)
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
