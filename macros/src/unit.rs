//! The three attributes of one function as one unit: errors(retry(session(body))).

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{FnArg, Path, Token, Type, parse_quote};

use crate::diagnostics::Mistakes;
use crate::documentation;
use crate::function::{Function, local};
use crate::stack::{Door, Stack};
use crate::steps::{Root, Steps, operation};
use crate::{db_error_handling, retry, with_session};
use crate::{spans, types};

/// What is going to be written. At least one of the three is there.
pub(crate) struct Plan {
    pub(crate) root: Root,
    pub(crate) session: Option<with_session::Plan>,
    pub(crate) retry: Option<retry::Plan>,
    pub(crate) errors: Option<db_error_handling::Plan>,
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
        return unchanged(&function);
    }
    let stack = Stack::gather(door, args, &mut function.attributes, mistakes);
    let (wants_session, first) = (stack.session.is_some(), stack.first());
    let args = read(stack, mistakes);
    if is_foreign(first, &function, mistakes) {
        return unchanged(&function);
    }
    let plan = decide(args, &function, mistakes);
    let sound = shape(first, &mut function, mistakes);
    let nothing = plan.session.is_none() && plan.retry.is_none() && plan.errors.is_none();
    if !sound || nothing || (wants_session && plan.session.is_none()) {
        return stand_in(&plan, wants_session, &function);
    }
    write(&plan, &function)
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

fn read(stack: Stack, mistakes: &Mistakes) -> Args {
    let Stack {
        session,
        retry,
        errors,
    } = stack;
    Args {
        session: session.map(|tokens| with_session::read(tokens, mistakes)),
        retry: retry.map(|tokens| retry::read(tokens, mistakes)),
        errors: errors.map(|tokens| db_error_handling::read(tokens, mistakes)),
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

/// Whether the function is of a kind that none of the three can do anything with.
fn is_foreign(first: Door, function: &Function, mistakes: &Mistakes) -> bool {
    let (name, function_name) = (first.name(), function.name());
    if let Some(token) = &function.signature.constness {
        mistakes.push(
            token,
            format!("`#[{name}]` counts and logs, which no `const fn` can"),
        );
        return true;
    }
    if function.returns_future() {
        mistakes.push_with_help(
            function.output(),
            format!("`#[{name}]` needs an `async fn`: it cannot open the future that `{function_name}` returns"),
            format!("write `async fn {function_name}`; where `#[async_trait]` wrote this future, leave that out"),
        );
        return true;
    }
    false
}

/// Whether the function can be written. A missing `async` is put in where the body shows that it was
/// forgotten.
fn shape(first: Door, function: &mut Function, mistakes: &Mistakes) -> bool {
    let (name, function_name) = (first.name(), function.name());
    let mut sound = true;
    if !function.is_async() && first != Door::DbErrorHandling {
        mistakes.push_with_help(
            function.signature.fn_token,
            format!("`#[{name}]` on a function that is not `async` is not available yet"),
            format!("write `async fn {function_name}`"),
        );
        if function.body.is_none() || function.body_mentions("await") {
            let span = function.signature.fn_token.span;
            function.signature.asyncness = Some(Token![async](span));
        } else {
            sound = false;
        }
    }
    if !may_be_result(function.output()) {
        mistakes.push_with_help(
            function.output_span(),
            format!("a function with `#[{name}]` must return a `Result`"),
            why_result(first),
        );
        sound = false;
    }
    sound
}

fn why_result(first: Door) -> &'static str {
    match first {
        Door::WithSession => "an `Err` is what rolls back: write `-> Result<…, MyError>`",
        Door::Retry => "an `Err` is what starts over: write `-> Result<…, MyError>`",
        Door::DbErrorHandling => "an `Err` is what it handles: write `-> Result<…, MyError>`",
    }
}

/// Whether the return type could be a `Result`, by any name.
fn may_be_result(output: Option<&Type>) -> bool {
    output.is_some_and(|ty| match types::plain(ty) {
        Type::Path(_) => !types::is_common(ty),
        Type::Macro(_) => true,
        _ => false,
    })
}

fn write(plan: &Plan, function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    rewrite(plan, &mut signature.inputs);
    let documentation = documentation::attributes(plan, function);
    let body = function.body.as_ref().map(|_| body(plan, function));
    function.write(&signature, body.as_ref(), &documentation)
}

/// The retry names parameters by their places, so it comes before a session that may leave.
fn rewrite(plan: &Plan, inputs: &mut Punctuated<FnArg, Token![,]>) {
    if let Some(retry) = &plan.retry {
        retry::parameters(retry, inputs);
    }
    if let Some(session) = &plan.session {
        with_session::parameter(session, &plan.root, inputs);
    }
}

fn body(plan: &Plan, function: &Function) -> TokenStream {
    let Plan {
        root,
        session,
        retry,
        errors,
    } = plan;
    let header = header(plan, function);
    let steps = match (session, retry) {
        (Some(session), Some(retry)) => {
            let (in_scope, retrying) = (retry::in_scope(retry), retry::retrying(retry));
            with_session::steps(session, root, function, &in_scope, &retrying)
        }
        (Some(session), None) => {
            let nothing = TokenStream::new();
            with_session::steps(session, root, function, &nothing, &nothing)
        }
        (None, Some(retry)) => retry::bare(retry, function),
        (None, None) => db_error_handling::bare(function, root),
    };
    let before = &steps.before;
    let value = match retry {
        Some(retry) => {
            let pool = session.as_ref().and_then(|session| session.pool.as_ref());
            retry::restart(retry, &steps, pool)
        }
        None => once(&steps),
    };
    let Some(errors) = errors else {
        return quote!(#header #before #value);
    };
    let result = local("result");
    let handle = db_error_handling::handle(errors, root, function, &result);
    let (open, value) = match retry {
        Some(_) => (TokenStream::new(), value),
        None => (steps.open.clone(), conclusion(&steps)),
    };
    quote! {
        #header #before #open
        let #result = #value;
        #handle
    }
}

/// One run and its end, as the tail of the function.
fn once(steps: &Steps) -> TokenStream {
    let (open, value) = (&steps.open, conclusion(steps));
    quote!(#open #value)
}

fn conclusion(steps: &Steps) -> TokenStream {
    let Steps { run, conclude, .. } = steps;
    let ended = local("ended");
    quote!({ let #ended = #run; #conclude })
}

/// The static, its registration, and the questions to the types, ahead of everything else.
fn header(plan: &Plan, function: &Function) -> TokenStream {
    let Plan {
        root,
        session,
        retry,
        errors,
    } = plan;
    let private = root.private();
    let operation = operation();
    let given = session.as_ref().and_then(|session| session.name.as_ref());
    let name = if let Some(name) = given {
        quote!(#name)
    } else {
        let name = function.name();
        quote!(::core::concat!(::core::module_path!(), "::", #name))
    };
    let options = session
        .as_ref()
        .map(|session| with_session::operation(session, root));
    let policy = retry.as_ref().map(|retry| retry::operation(retry, root));
    let handles = errors.as_ref().map(|_| db_error_handling::operation());
    let probes = probes(plan, function);
    quote! {
        static #operation: #private::Operation = #private::Operation::new(#name) #options #policy #handles;
        #private::inventory::submit! { #private::Registered(&#operation) }
        #probes
    }
}

fn probes(plan: &Plan, function: &Function) -> TokenStream {
    let private = plan.root.private();
    let session = plan
        .session
        .as_ref()
        .map(|session| with_session::probes(session, &plan.root));
    // A type with `_` in it cannot be asked; what it hides is asked where the result is used.
    let output = function
        .output()
        .filter(|output| !types::holds_impl(output));
    let result = output.map(|output| {
        let error = if session.is_some() {
            quote!(#private::assert_error::<#output>();)
        } else {
            quote!(#private::assert_classify::<#output>();)
        };
        let error = spans::gather(error, function.error_span());
        let result = spans::gather(
            quote!(#private::assert_result::<#output>();),
            spans::at(output),
        );
        quote!(#result #error)
    });
    let retry = plan
        .retry
        .as_ref()
        .map(|retry| retry::probes(retry, &plan.root));
    quote!(#session #result #retry)
}

/// A function as it was, for when nothing can be done.
fn unchanged(function: &Function) -> TokenStream {
    let body = function.body.as_ref().map(proc_macro2::Group::stream);
    function.write(&function.signature, body.as_ref(), &TokenStream::new())
}

/// The right signature over a body that compiles, so that one mistake does not become many.
fn stand_in(plan: &Plan, wants_session: bool, function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    let opaque = function.output().is_some_and(types::holds_impl);
    if opaque {
        return unchanged(function);
    }
    if let Some(session) = &plan.session {
        with_session::parameter(session, &plan.root, &mut signature.inputs);
    } else if !(wants_session && function.body_mentions("session")) {
        return unchanged(function);
    }
    for input in &mut signature.inputs {
        if let FnArg::Typed(argument) = input {
            argument
                .attrs
                .push(parse_quote!(#[allow(unused_variables, unused_mut)]));
        }
    }
    let allow =
        quote!(#[allow(unused_async, clippy::unused_async, clippy::needless_pass_by_value)]);
    let body = quote!(::core::unreachable!());
    function.write(&signature, function.body.as_ref().map(|_| &body), &allow)
}
