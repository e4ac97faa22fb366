//! The arms of `#[db_error_handling]`: `word("constraint") => EXPR`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::parse::Parse;
use syn::{Expr, LitStr, Token, token};

use super::Arm;
use super::reader::Reader;
use crate::words::{self, Word};

impl Reader<'_, '_> {
    /// Whether what follows a name makes it an arm: `=>`, or `( … ) =>`.
    pub(super) fn is_arm(&self) -> bool {
        self.input.peek(Token![=>])
            || (self.input.peek(token::Paren) && self.input.peek2(Token![=>]))
    }

    pub(super) fn arm(&self, at: Ident) -> Option<Arm> {
        let text = at.to_string();
        let word = words::find(&text);
        if word.is_none() {
            self.mistakes.push_with_help(
                &at,
                format!("{} knows no error called `{text}`", self.table.of),
                words::help(&text),
            );
        }
        let constraint = if self.input.peek(token::Paren) {
            self.constraint(word, &at)
        } else {
            Ok(None)
        };
        // `is_arm` has seen it.
        let _ = self.input.parse::<Token![=>]>();
        let Some(error) = self.take(Expr::parse) else {
            self.skip();
            self.errorless(&at);
            return None;
        };
        let rest = self.skip();
        if !rest.is_empty() {
            self.mistakes.push(rest, "a comma belongs between two arms");
            return None;
        }
        Some(Arm {
            word: word?,
            at,
            constraint: constraint.ok()?,
            error,
        })
    }

    /// A word for an error without `=>` behind it, and what stands there instead.
    pub(super) fn armless(&self, at: &Ident, rest: TokenStream) {
        let mut rest = rest
            .into_iter()
            .skip_while(|tree| matches!(tree, TokenTree::Group(_)));
        let Some(TokenTree::Punct(mark)) = rest.next() else {
            self.errorless(at);
            return;
        };
        if mark.as_char() == '|' {
            self.mistakes.push_with_help(
                mark,
                "an arm translates one error",
                format!("write an arm for each: `{at} => …, … => …`"),
            );
            return;
        }
        self.mistakes.push_with_help(
            mark,
            "an arm is written with `=>`",
            format!("write `{at} => MyError::Variant`"),
        );
    }

    pub(super) fn errorless(&self, at: &Ident) {
        self.mistakes.push_with_help(
            at,
            format!("the arm `{at}` needs an error to translate to"),
            format!("write `{at} => MyError::Variant`"),
        );
    }

    /// The name in the parentheses of an arm. `Err` once a mistake was recorded.
    fn constraint(&self, word: Option<Word>, at: &Ident) -> Result<Option<LitStr>, ()> {
        let group = self.take(<Group as Parse>::parse).ok_or(())?;
        let Ok(literal) = syn::parse2::<LitStr>(group.stream()) else {
            self.mistakes.push_with_help(
                &group,
                format!("`{at}(…)` takes the name of one constraint"),
                format!("write `{at}(\"users_email_key\") => …`"),
            );
            return Err(());
        };
        if literal.value().is_empty() {
            self.mistakes
                .push(&literal, "the name of a constraint is never empty");
            return Err(());
        }
        if word.is_some_and(|word| !word.names_constraint) {
            self.mistakes.push_with_help(
                &literal,
                format!("no database names a constraint with `{at}`"),
                format!("write `{at} => …`"),
            );
            return Err(());
        }
        Ok(Some(literal))
    }
}
