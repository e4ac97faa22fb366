//! What `#[retry]` is going to do with a function.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::{Attribute, Expr, Pat, PatType, Type};

use super::args::Args;
use super::policy::{self, Policy};
use crate::diagnostics::Mistakes;
use crate::function::{Function, Receiver, carried, local, mentions, simple_name};
use crate::types;

pub(crate) struct Plan {
    pub(crate) policy: Policy,
    pub(crate) verify_commit: bool,
    pub(crate) idempotent: bool,
    pub(crate) arguments: Vec<Argument>,
    /// `self` is owned: each attempt uses one up.
    pub(crate) owns_self: bool,
    /// Where the compiler shows that `self` cannot be cloned.
    pub(crate) self_span: Span,
}

/// An argument that each attempt binds anew.
pub(crate) struct Argument {
    pub(crate) place: usize,
    /// Its name in the signature.
    pub(crate) outer: Ident,
    /// How the body binds it.
    pub(crate) pattern: Pat,
    /// Whether the signature has to give it that name.
    pub(crate) renamed: bool,
    pub(crate) ty: Type,
    /// A reference is copied by itself.
    pub(crate) cloned: bool,
    pub(crate) attributes: Vec<Attribute>,
}

impl Argument {
    /// Whether an expression names what this argument binds.
    pub(crate) fn is_named_in(&self, expression: &Expr) -> bool {
        let expression = expression.to_token_stream();
        mentions(self.pattern.to_token_stream(), &|bound| {
            mentions(expression.clone(), &|named| named == bound)
        })
    }
}

/// `None` when an argument forbids starting over, which is among the mistakes then. `session` is the
/// place of the parameter that a session takes care of.
pub(crate) fn decide(
    args: Args,
    function: &Function,
    session: Option<usize>,
    mistakes: &Mistakes,
) -> Option<Plan> {
    let given = |option| args.named(option).is_some();
    let (verify_commit, idempotent) = (given("verify_commit"), given("idempotent"));
    let policy = policy::decide(args, mistakes);
    let receiver = function.receiver();
    if receiver == Receiver::Exclusive
        && let Some(receiver) = function.signature.receiver()
    {
        mistakes.push_with_help(
            receiver,
            "`#[retry]` re-runs the body, so `&mut self` would keep what a failed attempt wrote",
            "take `&self`, and return what changed",
        );
    }
    let (mut arguments, mut sound) = (Vec::new(), receiver != Receiver::Exclusive);
    for (place, argument) in function.arguments() {
        if Some(place) == session {
            continue;
        }
        if is_exclusive(argument) {
            exclusive(argument, session.is_some(), mistakes);
            sound = false;
        }
        arguments.extend(again(place, argument));
    }
    sound.then_some(Plan {
        policy,
        verify_commit,
        idempotent,
        arguments,
        owns_self: receiver == Receiver::Value,
        self_span: function
            .signature
            .receiver()
            .map_or_else(Span::call_site, |receiver| receiver.self_token.span),
    })
}

fn is_exclusive(argument: &PatType) -> bool {
    matches!(types::plain(&argument.ty), Type::Reference(reference) if reference.mutability.is_some())
}

fn again(place: usize, argument: &PatType) -> Option<Argument> {
    let cloned = !matches!(types::plain(&argument.ty), Type::Reference(_));
    let (outer, renamed) = match simple_name(&argument.pat) {
        Some(name) if name.mutability.is_none() && !cloned => return None,
        Some(name) => (name.ident.clone(), name.mutability.is_some()),
        // Nothing is bound, so nothing is used up.
        None if matches!(&*argument.pat, Pat::Wild(_)) => return None,
        None => (format_ident!("{}", local(&format!("arg_{place}"))), true),
    };
    Some(Argument {
        place,
        outer,
        pattern: (*argument.pat).clone(),
        renamed,
        ty: (*argument.ty).clone(),
        cloned,
        attributes: carried(argument).cloned().collect(),
    })
}

fn exclusive(argument: &PatType, has_session: bool, mistakes: &Mistakes) {
    let is_session = types::names_session(&argument.ty);
    let shown = types::shown(argument);
    if is_session && !has_session {
        mistakes.push_with_help(
            argument,
            format!("`#[retry]` cannot start over inside a session that is open, as `{shown}` is"),
            "add `#[with_session]`, by that name: each attempt gets a session of its own",
        );
        return;
    }
    mistakes.push_with_help(
        argument,
        format!("`#[retry]` re-runs the body, so `{shown}` would keep what a failed attempt wrote"),
        if is_session {
            "a function has one session that starts over: take a pool in place of the second, and open that in the body"
        } else {
            "return the value instead"
        },
    );
}
