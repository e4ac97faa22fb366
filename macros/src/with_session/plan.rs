//! What `#[with_session]` is going to do with a function.

use proc_macro2::Ident;
use syn::{Attribute, Expr, LitStr, Pat, PatType, Type};

use super::args::Args;
use super::recursion;
use super::terms::{self, Terms};
use crate::diagnostics::Mistakes;
use crate::function::{Function, Receiver, carried, local, simple_name};
use crate::types;

pub(crate) struct Plan {
    pub(crate) session: Session,
    /// The expression of `pool = …`; without it callers pass a source.
    pub(crate) pool: Option<Expr>,
    pub(crate) terms: Terms,
    pub(crate) recursion: Recursion,
    pub(crate) name: Option<LitStr>,
}

/// Whether the function may call itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recursion {
    None,
    /// It is declared `recursive`.
    Declared,
    /// It calls itself and is not declared to, which is among the mistakes.
    Missing,
}

/// The parameter that is declared as the session.
pub(crate) struct Session {
    /// Its place in the signature.
    pub(crate) place: usize,
    /// How callers see it.
    pub(crate) name: Ident,
    /// How the body binds it.
    pub(crate) pattern: Pat,
    /// What stands behind the `&mut`.
    pub(crate) ty: Type,
    pub(crate) attributes: Vec<Attribute>,
}

/// `None` when there is no session to speak of, which is among the mistakes then, or rustc's to say.
pub(crate) fn decide(args: Args, function: &Function, mistakes: &Mistakes) -> Option<Plan> {
    let terms = terms::decide(&args, mistakes);
    let session = session(function, mistakes)?;
    if is_bound_again(&session, function) {
        return None;
    }
    let recursion = if args.named("recursive").is_some() {
        Recursion::Declared
    } else if args.named("pool").is_none() && recursion::look_for(function, &session.name, mistakes)
    {
        Recursion::Missing
    } else {
        Recursion::None
    };
    Some(Plan {
        session,
        terms,
        recursion,
        pool: args.pool,
        name: args.name,
    })
}

/// Whether another parameter takes the name of the session, which rustc says better by itself.
fn is_bound_again(session: &Session, function: &Function) -> bool {
    let mut others = function
        .arguments()
        .filter(|(place, _)| *place != session.place);
    others.any(|(_, argument)| {
        simple_name(&argument.pat).is_some_and(|name| name.ident == session.name)
    })
}

fn session(function: &Function, mistakes: &Mistakes) -> Option<Session> {
    let Some((place, first)) = function.arguments().next() else {
        mistakes.push_with_help(
            &function.signature.ident,
            "`#[with_session]` needs a function that takes a session",
            declare(function),
        );
        return None;
    };
    if looks_like_session(&first.ty) {
        return described(place, first, function, mistakes);
    }
    let misplaced = function
        .arguments()
        .skip(1)
        .find(|(_, argument)| types::names_session(&argument.ty));
    if let Some((place, argument)) = misplaced {
        mistakes.push_with_help(
            argument,
            "the session must be the first parameter",
            if function.receiver() == Receiver::None {
                "move it to the front"
            } else {
                "move it to the front, right after `self`"
            },
        );
        return described(place, argument, function, mistakes);
    }
    mistakes.push_with_help(
        first,
        "the first parameter of a function with `#[with_session]` must be its session",
        declare(function),
    );
    None
}

fn declare(function: &Function) -> &'static str {
    if function.receiver() == Receiver::None {
        "make `session: &mut PgSession` the first parameter"
    } else {
        "put `session: &mut PgSession` right after `self`"
    }
}

/// A parameter that was meant to be the session: any `&mut` type, or a session without one.
fn looks_like_session(ty: &Type) -> bool {
    match types::plain(ty) {
        Type::Reference(reference) if reference.mutability.is_some() => true,
        ty => types::names_session(ty),
    }
}

fn described(
    place: usize,
    argument: &PatType,
    function: &Function,
    mistakes: &Mistakes,
) -> Option<Session> {
    let (name, pattern) = match &*argument.pat {
        pattern @ Pat::Wild(_) => (local("source"), pattern.clone()),
        pattern => {
            let Some(simple) = simple_name(pattern) else {
                mistakes.push_with_help(
                    pattern,
                    "the session must have a name, not a pattern",
                    "write `session: &mut PgSession`",
                );
                return None;
            };
            (simple.ident.clone(), pattern.clone())
        }
    };
    let Type::Reference(reference) = types::plain(&argument.ty) else {
        mistakes.push_with_help(
            &argument.ty,
            "the session is lent to the body, which cannot own it",
            format!("write `{name}: &mut {}`", word(&argument.ty)),
        );
        return guessed(place, name, pattern, argument, &argument.ty);
    };
    if reference.mutability.is_none() {
        mistakes.push_with_help(
            &argument.ty,
            "a session runs one statement at a time, so it is lent with `&mut`",
            format!("write `{name}: &mut {}`", word(&reference.elem)),
        );
        return guessed(place, name, pattern, argument, &reference.elem);
    }
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|name| name.ident != "_") {
        mistakes.push_with_help(
            lifetime,
            format!("`{lifetime}` would let the session outlive its transaction"),
            format!("write `{name}: &mut {}`", word(&reference.elem)),
        );
    }
    if is_any_connection(&reference.elem, function) {
        mistakes.push_with_help(
            &reference.elem,
            "a function for any database gets a session, not a connection",
            format!("write `{name}: &mut Session<DB>`; `{name}.raw().await?` lends its connection"),
        );
        return None;
    }
    if types::is_common(&reference.elem) {
        mistakes.push_with_help(
            &argument.ty,
            format!("`{}` is not a session", types::shown(&reference.elem)),
            format!("write `{name}: &mut PgSession`, and let callers pass a pool or a session"),
        );
        return None;
    }
    if types::holds_impl(&reference.elem) || is_parameter(&reference.elem, function) {
        mistakes.push_with_help(
            &reference.elem,
            "the type of the session must be written out, it names the database",
            format!("write `{name}: &mut PgSession`"),
        );
        return None;
    }
    guessed(place, name, pattern, argument, &reference.elem)
}

fn guessed(
    place: usize,
    name: Ident,
    pattern: Pat,
    argument: &PatType,
    ty: &Type,
) -> Option<Session> {
    if types::holds_impl(ty) {
        return None;
    }
    Some(Session {
        place,
        name,
        pattern,
        ty: ty.clone(),
        attributes: carried(argument).cloned().collect(),
    })
}

/// Whether it is the `Connection` of a type parameter: `DB::Connection`, `<DB as Database>::Connection`. A session's
/// source that goes by it could be inferred from no argument, nor be proven `Send`.
fn is_any_connection(ty: &Type, function: &Function) -> bool {
    let Type::Path(path) = types::plain(ty) else {
        return false;
    };
    let owner = match &path.qself {
        Some(owner) => types::last_word(&owner.ty),
        None if path.path.segments.len() == 2 => path
            .path
            .segments
            .first()
            .map(|first| first.ident.to_string()),
        None => None,
    };
    let mut parameters = function.signature.generics.type_params();
    types::last_word(ty).is_some_and(|word| word == "Connection")
        && owner.is_some_and(|owner| parameters.any(|parameter| parameter.ident == owner))
}

/// Whether it is a type parameter of the function.
fn is_parameter(ty: &Type, function: &Function) -> bool {
    let mut parameters = function.signature.generics.type_params();
    matches!(
        types::plain(ty),
        Type::Path(path) if parameters.any(|parameter| path.path.is_ident(&parameter.ident))
    )
}

fn word(ty: &Type) -> String {
    types::last_word(ty).unwrap_or_else(|| "PgSession".to_owned())
}
