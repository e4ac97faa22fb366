//! The three attributes of one function as one unit: errors(retry(session(body))).

mod agreement;
mod shape;
mod write;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Path;

use crate::diagnostics::Mistakes;
use crate::function::Function;
use crate::options::Table;
use crate::stack::{Door, Stack};
use crate::steps::Root;
use crate::with_session::Recursion;
use crate::{db_error_handling, retry, types, with_session};

/// What is going to be written. At least one of the three is there.
pub(crate) struct Plan {
    pub(crate) root: Root,
    pub(crate) session: Option<with_session::Plan>,
    pub(crate) retry: Option<retry::Plan>,
    pub(crate) errors: Option<db_error_handling::Plan>,
}

impl Plan {
    fn recursion(&self) -> Recursion {
        let session = self.session.as_ref();
        session.map_or(Recursion::None, |session| session.recursion)
    }
}

/// Reads, decides and writes. What is wrong goes to `mistakes`, and a function with the right
/// signature is written all the same.
pub(crate) fn expand(
    door: Door,
    args: TokenStream,
    mut function: Function,
    mistakes: &Mistakes,
) -> TokenStream {
    if function.is_expanded() {
        late(door, mistakes);
        return write::unchanged(&function);
    }
    let stack = Stack::gather(door, args, &mut function.attributes, mistakes);
    let (wants_session, first) = (stack.session.is_some(), stack.first());
    let args = read(stack, mistakes);
    if shape::is_foreign(first, &function, mistakes) {
        return write::unchanged(&function);
    }
    agreement::check(&args, mistakes);
    let plan = decide(args, &function, mistakes);
    let sound = shape::mend(first, &mut function, mistakes);
    if let Some(session) = &plan.session {
        with_session::mend_bound(session, &plan.root, &mut function, mistakes);
    }
    let nothing = plan.session.is_none() && plan.retry.is_none() && plan.errors.is_none();
    let endless =
        plan.recursion() == Recursion::Missing && !function.output().is_some_and(types::holds_impl);
    if !sound || endless || nothing || (wants_session && plan.session.is_none()) {
        return write::stand_in(&plan, wants_session, &function);
    }
    write::managed(&plan, &function)
}

/// An attribute that meets what another of the three has written: their order is decided already.
fn late(door: Door, mistakes: &Mistakes) {
    let name = door.name();
    mistakes.push_with_help(
        TokenStream::new(),
        format!(
            "`#[{name}]` came too late: the function is managed already, and would be managed twice"
        ),
        format!("write it as `#[{name}]`, not under another name, so that the three work as one"),
    );
}

/// What was read from the three, before it is held against the function.
struct Args {
    session: Option<with_session::Args>,
    retry: Option<retry::Args>,
    errors: Option<db_error_handling::Args>,
}

/// The tables of the three, so that an option of one is known to the others.
const TABLES: [&Table; 3] = [
    &with_session::TABLE,
    &retry::TABLE,
    &db_error_handling::TABLE,
];

fn read(stack: Stack, mistakes: &Mistakes) -> Args {
    let Stack {
        session,
        retry,
        errors,
    } = stack;
    Args {
        session: session.map(|tokens| with_session::read(tokens, &TABLES, mistakes)),
        retry: retry.map(|tokens| retry::read(tokens, &TABLES, mistakes)),
        errors: errors.map(|tokens| db_error_handling::read(tokens, &TABLES, mistakes)),
    }
}

fn decide(args: Args, function: &Function, mistakes: &Mistakes) -> Plan {
    let Args {
        session,
        retry,
        errors,
    } = args;
    let roots = [
        session.as_ref().and_then(|args| args.root.as_ref()),
        retry.as_ref().and_then(|args| args.root.as_ref()),
        errors.as_ref().and_then(|args| args.root.as_ref()),
    ];
    let root = root(roots, mistakes);
    let wants_session = session.is_some();
    let session = session.and_then(|args| with_session::decide(args, function, mistakes));
    let place = session.as_ref().map(|plan| plan.session.place);
    // A session that was not understood is among the mistakes; its parameter is not one more.
    let place = place.or_else(|| {
        function
            .arguments()
            .next()
            .map(|(place, _)| place)
            .filter(|_| wants_session)
    });
    Plan {
        root,
        session,
        retry: retry.and_then(|args| retry::decide(args, function, place, mistakes)),
        errors: errors.map(|args| db_error_handling::decide(args, mistakes)),
    }
}

/// One `crate = path` serves all three.
fn root(given: [Option<&Path>; 3], mistakes: &Mistakes) -> Root {
    let mut paths = given.into_iter().flatten();
    let first = paths.next();
    for other in paths {
        let same = first.is_some_and(|first| {
            first.to_token_stream().to_string() == other.to_token_stream().to_string()
        });
        if !same {
            mistakes.push_with_help(
                other,
                "`crate` names two places for one crate",
                "write it on one of the attributes, it serves all of them",
            );
        }
    }
    Root::new(first)
}
