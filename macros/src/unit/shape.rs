//! What kind of function the three attributes can do something with.

use syn::{Token, Type};

use crate::diagnostics::Mistakes;
use crate::function::Function;
use crate::stack::Door;
use crate::types;

/// Whether the function is of a kind that none of the three can do anything with.
pub(super) fn is_foreign(first: Door, function: &Function, mistakes: &Mistakes) -> bool {
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
pub(super) fn mend(first: Door, function: &mut Function, mistakes: &Mistakes) -> bool {
    let name = first.name();
    let mut sound = true;
    if !function.is_async() && first != Door::DbErrorHandling {
        let blocks = not_async(name, function, mistakes);
        if !blocks && (function.body.is_none() || function.body_mentions("await")) {
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

/// Whether it looks like what `#[tokio::test]` makes of an `async fn`.
fn not_async(name: &str, function: &Function, mistakes: &Mistakes) -> bool {
    let blocks = function.body_mentions("block_on");
    let mut help = format!("write `async fn {}`", function.name());
    if blocks {
        help = format!(
            "{help}; where `#[tokio::test]` or `#[tokio::main]` took that word away, put `#[{name}]` above it"
        );
    }
    mistakes.push_with_help(
        function.signature.fn_token,
        format!("`#[{name}]` on a function that is not `async` is not available yet"),
        help,
    );
    blocks
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
